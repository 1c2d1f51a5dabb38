// A number in the situation's sentences shows the rows of the table that it comes from.
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-rows]");
    const details = document.getElementById("situation-rows");
    if (!button || !details) return;
    const keys = new Set(button.dataset.rows.split("|"));
    details.open = true;
    details.querySelectorAll(".cm-lit").forEach((row) => row.classList.remove("cm-lit"));
    const rows = [...details.querySelectorAll("[data-row]")].filter((row) => keys.has(row.dataset.row));
    rows.forEach((row) => row.classList.add("cm-lit"));
    rows[0]?.scrollIntoView({ block: "center" });
    rows[0]?.focus({ preventScroll: true });
  });
})();
