"use strict";
(() => {
  const { base, page } = document.body.dataset;
  const status = document.getElementById("status");
  const find = (selector, inside = document) => [...inside.querySelectorAll(selector)];

  function say(text, isGood = false) {
    status.textContent = text;
    status.classList.toggle("good", isGood);
  }

  document.querySelector(".actions").hidden = false;

  // A link to a frame opens what it is in.
  function openTarget() {
    let element = document.getElementById(location.hash.slice(1));
    for (; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();

  const libraries = document.getElementById("libraries");
  libraries.disabled = !find("details.folded, details.library").length;
  libraries.addEventListener("change", () => {
    for (const one of find("details.folded, details.library")) one.open = libraries.checked;
  });

  const text = document.getElementById("text");
  document.getElementById("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      say("Copied.", true);
    } catch {
      // Browsers give the clipboard to pages of this machine and of https alone.
      text.closest("details").open = true;
      getSelection().selectAllChildren(text);
      text.focus();
      say("The text is selected: copy it with the keyboard.");
    }
  });

  if (!page) return;

  const lock = document.getElementById("lock");
  const form = document.getElementById("unlock");
  const field = document.getElementById("secret");
  // What to do once the console is unlocked.
  let afterwards = null;

  async function post(name, content) {
    const response = await fetch(base + name, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(content),
    });
    return { isGood: response.ok, ...(await response.json()) };
  }

  function askForSecret() {
    form.hidden = false;
    lock.hidden = true;
    field.focus();
    form.scrollIntoView({ block: "center" });
  }

  lock.addEventListener("click", askForSecret);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await post("unlock", { secret: field.value });
      field.value = "";
      if (!answer.isGood) {
        say(answer.error);
        field.focus();
        return;
      }
    } catch {
      say("The server does not answer.");
      return;
    }
    form.hidden = true;
    say("The console is unlocked in this browser.", true);
    if (afterwards) afterwards();
    afterwards = null;
  });

  fetch(base + "state")
    .then((response) => response.json())
    .then((state) => {
      lock.hidden = state.is_open;
    })
    .catch(() => {});

  function grow(input) {
    input.rows = Math.min(input.value.split("\n").length, 20);
  }

  function openConsole(place, button) {
    const console = document.getElementById("console").content.cloneNode(true).firstElementChild;
    const log = console.querySelector(".log");
    const input = console.querySelector("textarea");
    input.setAttribute("aria-label", "Python in the frame of " + place.dataset.function);
    const history = [];
    let at = 0;

    function write(text, kind) {
      const block = document.createElement("pre");
      block.className = kind;
      block.textContent = text;
      log.append(block);
      log.scrollTop = log.scrollHeight;
    }

    async function run() {
      const code = input.value;
      if (!code.trim()) return;
      input.readOnly = true;
      try {
        const answer = await post("run", { page, frame: place.dataset.frame, code });
        if (answer.is_locked) {
          afterwards = () => {
            input.focus();
            run();
          };
          say(answer.error);
          askForSecret();
        } else if (!answer.isGood) {
          write(answer.error, "failed");
        } else if (answer.is_incomplete) {
          input.setRangeText("\n", input.selectionEnd, input.selectionEnd, "end");
        } else {
          const [first, ...more] = code.trimEnd().split("\n");
          write([">>> " + first, ...more.map((line) => "... " + line)].join("\n"), "typed");
          if (answer.output) write(answer.output.replace(/\n$/, ""), "printed");
          if (history.at(-1) !== code) history.push(code);
          at = history.length;
          input.value = "";
        }
      } catch {
        write("The server does not answer.", "failed");
      }
      input.readOnly = false;
      grow(input);
    }

    function recall(step) {
      if (at + step < 0 || at + step > history.length) return;
      at += step;
      input.value = history[at] ?? "";
      grow(input);
    }

    input.addEventListener("input", () => grow(input));
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      const before = input.value.slice(0, input.selectionStart);
      const behind = input.value.slice(input.selectionEnd);
      if (event.key === "Enter" && !event.shiftKey && !behind.trim()) {
        event.preventDefault();
        if (!input.readOnly) run();
      } else if (event.key === "ArrowUp" && !before.includes("\n")) {
        event.preventDefault();
        recall(-1);
      } else if (event.key === "ArrowDown" && !behind.includes("\n")) {
        event.preventDefault();
        recall(1);
      }
    });

    button.replaceWith(console);
    input.focus();
  }

  for (const place of find(".prompt")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = "Open a console in this frame";
    button.addEventListener("click", () => openConsole(place, button));
    place.append(button);
  }
})();
