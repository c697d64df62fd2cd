// The menu of versions: what is beside this one, as versions.json above it says. Without that there is this one alone.
const menu = document.querySelector(".versions");
if (menu && location.protocol.startsWith("http")) {
  const { version, versions, root } = menu.dataset;
  const select = menu.querySelector("select");
  fetch(versions)
    .then((answer) => (answer.ok ? answer.json() : []))
    .then((names) => {
      if (names.length < 2) return;
      select.replaceChildren(...names.map((name) => new Option(name, name, name === version, name === version)));
      select.disabled = false;
    })
    .catch(() => {});
  select.addEventListener("change", async () => {
    const here = new URL(root || ".", location.href);
    const page = location.href.slice(here.href.length);
    const same = new URL(`../${select.value}/${page}`, here);
    // A page that the other version does not have: its first page.
    const found = await fetch(same, { method: "HEAD" }).then((answer) => answer.ok, () => false);
    location.href = found ? same : new URL(`../${select.value}/`, here);
  });
}
