// Passkeys: the one thing of these pages that only a script can do. Elements with data-passkey have the addresses.
(() => {
  "use strict";

  const bytesOf = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const textOf = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const withBytes = (options) => {
    const made = { ...options, challenge: bytesOf(options.challenge) };
    if (options.user) made.user = { ...options.user, id: bytesOf(options.user.id) };
    for (const name of ["allowCredentials", "excludeCredentials"]) {
      if (options[name]) made[name] = options[name].map((one) => ({ ...one, id: bytesOf(one.id) }));
    }
    return made;
  };

  const withTexts = (credential) => {
    const { response } = credential;
    const shown = { clientDataJSON: textOf(response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[name]) shown[name] = textOf(response[name]);
    }
    if (response.getTransports) shown.transports = response.getTransports();
    return {
      id: credential.id,
      rawId: textOf(credential.rawId),
      type: credential.type,
      response: shown,
      authenticatorAttachment: credential.authenticatorAttachment,
      clientExtensionResults: credential.getClientExtensionResults(),
    };
  };

  const post = async (url, values) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(values),
    });
    const shown = await answer.json();
    if (!answer.ok) {
      const texts = Object.values(shown.errors || {}).flat();
      throw Object.assign(new Error(texts.join(" ") || shown.detail || ""), { isOurs: true });
    }
    return shown;
  };

  const run = async (place) => {
    const kind = place.dataset.passkey;
    const publicKey = withBytes(await post(place.dataset.options, kind === "register" ? {} : { step: kind }));
    if (kind === "register") {
      const name = place.querySelector("input[name=name]").value.trim();
      const credential = withTexts(await navigator.credentials.create({ publicKey }));
      const made = await post(place.dataset.finish, { name, credential });
      if (!made.codes || !made.codes.length) return location.assign(place.dataset.after);
      // Shown once, so the page stays.
      const list = place.querySelector(".made ol");
      list.replaceChildren(...made.codes.map((code) => Object.assign(document.createElement("li"), { textContent: code })));
      for (const part of place.children) part.hidden = !part.matches(".made");
      return undefined;
    }
    const credential = withTexts(await navigator.credentials.get({ publicKey }));
    const values = kind === "verify" ? { kind: "passkey", credential } : { credential };
    const remember = document.querySelector("input[name=remember]");
    if (kind === "login" && remember) values.remember = remember.checked;
    return location.assign((await post(place.dataset.finish, values)).next);
  };

  for (const place of document.querySelectorAll("[data-passkey]")) {
    if (!window.PublicKeyCredential) continue;
    place.hidden = false;
    const button = place.querySelector("button");
    const failed = place.querySelector("[data-failed]");
    const start = async () => {
      const input = place.querySelector("input[name=name]");
      if (input && !input.reportValidity()) return;
      button.disabled = true;
      failed.hidden = true;
      try {
        await run(place);
      } catch (error) {
        failed.textContent = (error.isOurs && error.message) || failed.dataset.failed;
        failed.hidden = false;
      } finally {
        button.disabled = false;
      }
    };
    button.addEventListener("click", start);
    // There is no form around it: the fields are for the script alone.
    place.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("input")) start();
    });
  }
})();
