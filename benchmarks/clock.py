"""The clock of the rounds: the processor's time where the system tells it finely enough.

What else runs on the machine takes the processor away in the middle of a round. A clock on the wall counts that, and
by the load of the day the same request takes once or four times as long. The time of this process, with all its threads,
is what the request costs.
"""

from __future__ import annotations

import time

#: A round takes 20 ms, and Windows tells the time of a process in steps of 16.
FINE = time.get_clock_info("process_time").resolution < 1e-5

#: What is counted, as the tables call it.
COUNTED = "processor time" if FINE else "time"

now = time.process_time if FINE else time.perf_counter
