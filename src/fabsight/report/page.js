"use strict";
// The page is complete without this script; it adds sorting, paging, filtering and zoom.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const keyOf = (cell) => {
    if (cell.dataset.key === undefined) return cell.textContent.toLowerCase();
    return cell.dataset.key === "" ? null : Number(cell.dataset.key);
  };
  const compare = (a, b) => {
    if (a === b) return 0;
    if (a === null) return 1; // missing values go last
    if (b === null) return -1;
    return typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
  };

  all("table.sortable").forEach((table) => {
    all("thead th", table).forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = all("tbody tr", table).map((row) => [keyOf(row.cells[column]), row]);
        rows.sort((x, y) => (down && x[0] !== null && y[0] !== null ? -1 : 1) * compare(x[0], y[0]));
        table.tBodies[0].append(...rows.map((pair) => pair[1]));
      });
    });
  });

  const PER_PAGE = 48;
  all(".gallery").forEach((gallery) => {
    const toolbar = gallery.previousElementSibling;
    if (!toolbar || !toolbar.classList.contains("toolbar")) return;
    const cards = all(".card", gallery);
    const find = toolbar.querySelector("input");
    const state = { page: 0 };
    const pager = toolbar.querySelector(".pager");
    const show = () => {
      const word = find.value.toLowerCase();
      const kept = all(".card", gallery).filter((card) => {
        const fits = card.dataset.name.toLowerCase().includes(word);
        if (!fits) card.hidden = true;
        return fits;
      });
      const pages = Math.max(1, Math.ceil(kept.length / PER_PAGE));
      state.page = Math.min(Math.max(state.page, 0), pages - 1);
      kept.forEach((card, i) => { card.hidden = Math.floor(i / PER_PAGE) !== state.page; });
      pager.hidden = pages === 1;
      pager.querySelector("span").textContent = `${state.page + 1} of ${pages}`;
    };
    all("button[data-sort]", toolbar).forEach((button) => {
      button.addEventListener("click", () => {
        all("button[data-sort]", toolbar).forEach((b) => b.setAttribute("aria-pressed", "false"));
        button.setAttribute("aria-pressed", "true");
        const by = button.dataset.sort;
        const key = (card) => (by === "name" ? card.dataset.name : Number(card.dataset[by]));
        gallery.append(...cards.sort((a, b) => compare(key(a), key(b))));
        state.page = 0;
        show();
      });
    });
    const reveal = () => {
      const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (!wanted || !gallery.contains(wanted)) return;
      find.value = "";
      state.page = Math.floor(all(".card", gallery).indexOf(wanted) / PER_PAGE);
      show();
      wanted.scrollIntoView();
    };
    addEventListener("hashchange", reveal);
    all("button[data-step]", toolbar).forEach((button) => {
      button.addEventListener("click", () => { state.page += Number(button.dataset.step); show(); });
    });
    find.addEventListener("input", () => { state.page = 0; show(); });
    toolbar.hidden = false;
    show();
    reveal();
  });

  const box = document.createElement("dialog");
  const large = document.createElement("img");
  box.append(large);
  document.body.append(box);
  box.addEventListener("click", () => box.close());
  const enlarge = (event) => {
    if (!event.target.matches(".card img")) return;
    if (event.type === "keydown" && event.key !== "Enter") return;
    large.src = event.target.src;
    large.alt = event.target.alt;
    box.showModal();
  };
  all(".card img").forEach((image) => { image.tabIndex = 0; });
  document.addEventListener("click", enlarge);
  document.addEventListener("keydown", enlarge);
})();
