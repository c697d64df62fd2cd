// The live counter: server-sent events into the page. The browser reconnects by itself, and says which event it saw last.

const tally = document.querySelector("[data-events]");
const list = document.getElementById("rooms");
const events = new EventSource(tally.dataset.events);

events.addEventListener("open", () => live("live"));
events.addEventListener("error", () => live("paused"));
events.addEventListener("numbers", (event) => {
  const numbers = JSON.parse(event.data);
  show("people", numbers.people);
  show("messages", numbers.messages);
  showRooms(numbers.rooms);
});

function live(state) {
  document.getElementById("live").textContent = state;
  tally.classList.toggle("is-live", state === "live");
}

function show(id, number) {
  document.getElementById(id).textContent = number.toLocaleString();
}

function showRooms(rooms) {
  const rows = new Map([...list.children].map((row) => [row.dataset.room, row]));
  for (const room of rooms) {
    const row = rows.get(room.address) ?? added(room);
    rows.delete(room.address);
    row.querySelector(".berth-people").textContent = room.people ? `${room.people} here` : "empty";
    row.classList.toggle("is-lit", room.people > 0);
  }
  for (const closed of rows.values()) closed.remove();
}

function added(room) {
  const row = document.getElementById("room-row").content.cloneNode(true).firstElementChild;
  row.dataset.room = room.address;
  const link = row.querySelector("a");
  link.href = link.href.replace("ADDRESS", encodeURIComponent(room.address));
  row.querySelector(".berth-title").textContent = room.title;
  row.querySelector(".berth-about").textContent = room.about;
  list.append(row);
  return row;
}
