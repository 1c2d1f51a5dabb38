// Plain content comes as JSON in an attribute (`cloudmap/dashboard/light.py`) and is built here, without a component an element.
const OWN_ADDRESS = /^[/?#]/;

function build(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const [tag, attributes, children] = node;
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") Object.assign(made.style, value);
    else if (/^on/i.test(name) || (name === "href" && !OWN_ADDRESS.test(value))) continue;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.map(build));
  return made;
}

const filled = new WeakMap();

/** Build what a root now asks for in place of what was built for it before; what others put there stays. */
function fill(root) {
  for (const node of filled.get(root) ?? []) node.remove();
  const nodes = root.dataset.light ? JSON.parse(root.dataset.light).map(build) : [];
  filled.set(root, nodes);
  root.append(...nodes);
}

/** Fill whatever light content appears or changes. */
export function watchLight() {
  new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records) {
      if (type === "attributes") fill(target);
      for (const node of addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        if (node.dataset.light) fill(node);
        else node.querySelectorAll("[data-light]").forEach(fill);
      }
    }
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-light"] });
}
