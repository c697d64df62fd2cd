"""Pages from a database behind a real server, by the rules of TechEmpower: ``python -m benchmarks.database``."""
