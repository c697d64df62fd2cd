// Notes as they are pinned, at whichever door. The browser reconnects by itself, and says which note it saw last.

const list = document.getElementById("notes");
const row = document.getElementById("note-row").content.firstElementChild;
const line = document.getElementById("line");
const SHOWN = 30;

const events = new EventSource(list.dataset.events);

events.addEventListener("note", (event) => show(JSON.parse(event.data)));
events.addEventListener("line", (event) => {
  const { connected } = JSON.parse(event.data);
  tell(connected ? "live" : "lost", connected ? "live" : "the board is out of reach");
});
events.addEventListener("error", () => tell("lost", "this door is shut, trying again"));

function show(note) {
  if (list.querySelector(`[data-id="${CSS.escape(note.id)}"]`)) return;
  const added = row.cloneNode(true);
  added.dataset.id = note.id;
  added.classList.add(note.door, "is-new");
  added.querySelector(".text bdi").textContent = note.text;
  added.querySelector(".name").textContent = note.by;
  added.querySelector(".by-door").textContent = note.door;
  list.prepend(added);
  while (list.children.length > SHOWN) list.lastElementChild.remove();
}

function tell(state, text) {
  line.dataset.state = state;
  line.textContent = text;
}
