// The page of a room. What comes from others is put in as text, never as HTML.

const element = (id) => document.getElementById(id);
const [log, line, notice, form, field, newest] = ["log", "line", "notice", "say", "text", "newest"].map(element);
const me = element("room").dataset.me;
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat([], { weekday: "long", hour: "2-digit", minute: "2-digit" });

const SILENCE = 60; // seconds without a word of the server, which says something every 25: the line is dead
const LONGEST_PAUSE = 30; // seconds between two tries

// The line to the server

let socket = null;
let tries = 0;
let next = 0; // the timer of the next try
let silence = 0; // the timer of a line that has gone quiet

function connect() {
  clearTimeout(next);
  const mine = (socket = new WebSocket(location.origin.replace(/^http/, "ws") + location.pathname));
  mine.addEventListener("message", (message) => {
    if (mine !== socket) return;
    listenFor(SILENCE);
    const { event, ...values } = JSON.parse(message.data);
    handlers[event]?.(values);
  });
  mine.addEventListener("close", (close) => lost(mine, close.reason));
}

function listenFor(seconds) {
  clearTimeout(silence);
  silence = setTimeout(lost, seconds * 1000, socket, "");
}

function lost(which, reason) {
  if (which !== socket) return;
  clearTimeout(silence);
  socket.close();
  socket = null;
  const pause = Math.min(LONGEST_PAUSE, 2 ** tries++) * (0.75 + Math.random() / 2);
  next = setTimeout(connect, pause * 1000);
  state("lost", `${reason || "The connection was lost."} Trying again in ${Math.ceil(pause)} s.`);
  leaveIfShut();
}

// A handshake that is refused looks like any other failure. The page behind the same address says why.
async function leaveIfShut() {
  const page = await fetch(location.pathname, { method: "HEAD", redirect: "manual" }).catch(() => null);
  if (page && (page.type === "opaqueredirect" || page.status === 404)) location.reload();
}

function retryNow() {
  if (!socket) connect();
}

function state(name, text) {
  line.dataset.state = name;
  line.textContent = text;
  element("send").disabled = name !== "open";
}

// What the server says

const people = new Map();
let lastBy = null; // whose message is the last in the log

const handlers = {
  welcome({ people: present, messages }) {
    tries = 0;
    state("open", "Connected");
    people.clear();
    present.forEach((person) => people.set(person.id, person));
    showPeople();
    log.setAttribute("aria-busy", "true"); // nobody wants to hear fifty old messages
    messages.forEach(addMessage);
    log.removeAttribute("aria-busy");
    toEnd();
  },
  joined({ visitor }) {
    if (!people.has(visitor.id)) tell(visitor, "came in");
    people.set(visitor.id, visitor);
    showPeople();
  },
  left({ visitor }) {
    people.delete(visitor.id);
    tell(visitor, "left");
    showPeople();
  },
  message(message) {
    const mustFollow = message.by.id === me || isAtEnd();
    addMessage(message);
    if (mustFollow) toEnd();
    else newest.hidden = false;
  },
  notice({ text }) {
    notice.textContent = text;
    if (!field.value) field.value = field.dataset.sent ?? "";
  },
};

function addMessage({ id, by, text, at }) {
  if (element(`m-${id}`)) return; // seen before the connection was lost
  const message = filled("message", by);
  const time = new Date(at * 1000);
  message.id = `m-${id}`;
  message.classList.toggle("is-mine", by.id === me);
  message.classList.toggle("is-more", lastBy === by.id);
  message.querySelector("time").dateTime = time.toISOString();
  message.querySelector("time").textContent = (Date.now() - time < 43_200_000 ? clock : calendar).format(time);
  message.querySelector(".words").textContent = text;
  log.append(message);
  lastBy = by.id;
}

function tell(visitor, what) {
  const follows = isAtEnd();
  const told = element("told").content.cloneNode(true).firstElementChild;
  told.querySelector(".name").textContent = visitor.name;
  told.append(` ${what}`);
  log.append(told);
  lastBy = null;
  if (follows) toEnd();
}

function showPeople() {
  element("count").textContent = people.size;
  element("people").replaceChildren(
    ...[...people.values()].map((person) => {
      const row = filled("person", person);
      row.classList.toggle("is-me", person.id === me);
      return row;
    }),
  );
}

function filled(template, person) {
  const copy = element(template).content.cloneNode(true).firstElementChild;
  copy.classList.add(`tone-${person.tone}`);
  copy.querySelector(".face").textContent = [...person.name][0].toUpperCase();
  copy.querySelector(".name").textContent = person.name;
  return copy;
}

// The log follows what is said, unless somebody reads further up

const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 60;

function toEnd() {
  log.scrollTop = log.scrollHeight;
  newest.hidden = true;
}

log.addEventListener("scroll", () => { if (isAtEnd()) newest.hidden = true; });
newest.addEventListener("click", () => { toEnd(); field.focus(); });
new ResizeObserver(() => { if (newest.hidden) toEnd(); }).observe(log);

form.addEventListener("submit", (submit) => {
  submit.preventDefault();
  const text = field.value.trim();
  if (!text || line.dataset.state !== "open") return;
  socket.send(JSON.stringify({ text }));
  field.dataset.sent = text;
  field.value = notice.textContent = "";
});

addEventListener("online", retryNow);
document.addEventListener("visibilitychange", () => { if (!document.hidden) retryNow(); });
connect();
