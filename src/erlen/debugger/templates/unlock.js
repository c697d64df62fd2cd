"use strict";
(() => {
  const base = document.body.dataset.base;
  const form = document.getElementById("unlock");
  const field = document.getElementById("secret");
  const status = document.getElementById("status");

  function say(text, isGood) {
    status.textContent = text;
    status.classList.toggle("good", isGood);
    form.hidden = isGood;
  }

  async function unlock(secret) {
    try {
      const response = await fetch(base + "unlock", {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ secret }),
      });
      const answer = await response.json();
      if (response.ok) {
        say("The console is unlocked in this browser. Go back to the page of the error and type into the prompt of a frame.", true);
      } else {
        say(answer.error, false);
        field.select();
      }
    } catch {
      say("The server does not answer.", false);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    unlock(field.value);
  });

  function read(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      // Something else than a link from the terminal.
      return text;
    }
  }

  async function begin() {
    const secret = read(location.hash.slice(1));
    if (secret) {
      // Neither the address bar nor the history keeps it.
      history.replaceState(null, "", location.pathname);
      await unlock(secret);
      return;
    }
    try {
      const state = await (await fetch(base + "state")).json();
      if (state.is_open) say("The console is unlocked in this browser.", true);
      else say("The console is locked.", false);
    } catch {
      say("The server does not answer.", false);
    }
  }

  window.addEventListener("hashchange", begin);
  begin();
})();
