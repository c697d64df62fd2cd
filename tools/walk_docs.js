// What is wrong with a page as it is shown now: a list of lines. 'walk_docs.py' asks each page, in each width and colour scheme.
(() => {
  const problems = new Set();
  const root = document.documentElement;
  const name = (node) => node.tagName.toLowerCase() + [...node.classList].map((one) => `.${one}`).join("");
  const words = (node) => JSON.stringify((node.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40));

  if (!document.title) problems.add("has no title");
  if (root.scrollWidth > root.clientWidth) {
    problems.add(`is ${root.scrollWidth} pixels wide, and scrolls sideways`);
  }

  // Pictures
  for (const image of document.images) {
    const file = image.getAttribute("src").split("/").pop();
    if (!image.hasAttribute("alt") || (!image.alt && image.closest("article"))) {
      problems.add(`the picture ${file} says nothing in words`);
    }
    if (image.complete && !image.naturalWidth) problems.add(`the picture ${file} does not load`);
    // Text of a diagram has 14 pixels.
    const size = (14 * image.width) / image.naturalWidth;
    if (image.matches(".diagram") && size < 9) {
      problems.add(`text in a diagram (${file}) has ${size.toFixed(1)} pixels`);
    }
  }

  // Headings
  let before = 0;
  for (const heading of document.querySelectorAll("article :is(h1, h2, h3, h4, h5, h6)")) {
    const level = Number(heading.tagName[1]);
    if (level > before + 1) problems.add(`the heading ${words(heading)} is h${level} behind h${before}`);
    before = level;
  }
  // The page of the search has one with the first word that is searched for.
  const count = document.querySelectorAll("article h1").length;
  if (count !== 1 && !document.querySelector("#search-results")) problems.add(`has ${count} headings h1`);

  // What goes over the edge of the text, with nothing that scrolls around it
  const scrolls = (node) => ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
  const column = document.querySelector("article")?.getBoundingClientRect();
  const over_edge = [];
  for (const node of document.querySelectorAll("article :is(table, pre, img, p, li, dt, h1, h2, h3)")) {
    const box = node.getBoundingClientRect();
    // Furo lets the background of headings and signatures reach out a little.
    const right = box.right - parseFloat(getComputedStyle(node).paddingRight);
    if (!box.width || right <= column.right + 1) continue;
    let around = node;
    while (around.tagName !== "ARTICLE" && !scrolls(around)) around = around.parentElement;
    if (around.tagName !== "ARTICLE" || over_edge.some((one) => one.contains(node))) continue;
    over_edge.push(node);
    problems.add(`${name(node)} ${words(node)} goes over the edge`);
  }

  // Contrast, as WCAG 2.2 computes it (1.4.3)
  const parts = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith("color(") ? [red * 255, green * 255, blue * 255, alpha] : [red, green, blue, alpha];
  };
  const over = ([red, green, blue, alpha], below) =>
    [red, green, blue].map((value, index) => value * alpha + below[index] * (1 - alpha));
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const known = new Map();
  const background = (node) => {
    if (!node) return [255, 255, 255];
    if (!known.has(node)) {
      const below = background(node.parentElement);
      known.set(node, over(parts(getComputedStyle(node).backgroundColor), below));
    }
    return known.get(node);
  };
  const opacities = new Map();
  const opacity = (node) => {
    if (!node) return 1;
    if (!opacities.has(node)) opacities.set(node, getComputedStyle(node).opacity * opacity(node.parentElement));
    return opacities.get(node);
  };
  const seen = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (seen.has(node) || !texts.currentNode.data.trim()) continue;
    seen.add(node);
    if (node.matches("script, style, noscript, option") || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    // Signs that come with the pointer, and texts for screen readers.
    if (style.visibility !== "visible" || node.closest(".headerlink, .visually-hidden")) continue;
    const behind = background(node);
    const [red, green, blue, alpha] = parts(style.color);
    const [a, b] = [over([red, green, blue, alpha * opacity(node)], behind), behind].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) {
      const place = node.closest("pre, .sidebar-drawer, .toc-drawer, footer, article");
      problems.add(`${name(node)} in ${place ? name(place) : "body"} has a contrast of ${ratio.toFixed(2)}, as in ${words(node)}`);
    }
  }
  return [...problems];
})();
