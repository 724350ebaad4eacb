// A click on a picture opens it large; left and right go through those on the page.

import { localise } from "./local-time.js";

const ICONS = {
  earlier: "m12 4-6 6 6 6",
  later: "m8 4 6 6-6 6",
  close: "m5 5 10 10m0-10L5 15",
};

class LightBox extends HTMLElement {
  connectedCallback() {
    this.innerHTML = `<dialog><div class="box-bar">${this.button("earlier", "back")}${this.button("later", "on")}${this.button("close", "shut")}</div><div class="box-stage"></div></dialog>`;
    this.dialog = this.querySelector("dialog");
    this.stage = this.querySelector(".box-stage");
    const on = (name, act) => this.querySelector(`.${name}`).addEventListener("click", act);
    on("back", () => this.move(-1));
    on("on", () => this.move(1));
    on("shut", () => this.close());
    document.addEventListener("click", (event) => this.click(event));
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    this.addEventListener("picture-deleted", (event) => this.deleted(event.detail));
    addEventListener("popstate", () => {
      if (this.dialog.open) this.shut();
    });
  }

  button(name, place) {
    const icon = `<svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
    const button = document.createElement("button");
    button.type = "button";
    button.className = place;
    button.setAttribute("aria-label", this.dataset[name]);
    button.innerHTML = icon;
    return button.outerHTML;
  }

  get tiles() {
    return [...document.querySelectorAll("a[data-picture]")];
  }

  click(event) {
    const tile = event.target.closest("a[data-picture]");
    if (!tile || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.show(tile);
  }

  async show(tile) {
    const response = await fetch(tile.href, { headers: { "x-part": "view" } }).catch(() => null);
    if (!response?.ok) {
      location.href = tile.href;
      return;
    }
    const html = await response.text();
    this.tile = tile;
    this.dialog.setAttribute("aria-label", tile.querySelector("img").alt.slice(0, 200));
    this.stage.innerHTML = html;
    localise(this.stage);
    if (this.dialog.open) {
      history.replaceState({ box: true }, "", tile.href);
    } else {
      history.pushState({ box: true }, "", tile.href);
      this.dialog.showModal();
    }
    this.stage.querySelector("h1").focus({ preventScroll: true });
    this.dialog.scrollTop = 0;
    const at = this.tiles.indexOf(tile);
    this.querySelector(".back").disabled = at <= 0;
    this.querySelector(".on").disabled = at < 0 || at >= this.tiles.length - 1;
  }

  move(by) {
    const next = this.tiles[this.tiles.indexOf(this.tile) + by];
    if (next) this.show(next);
  }

  key(event) {
    if (event.target.closest("input, textarea, select") || event.metaKey || event.ctrlKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.move(by);
  }

  close() {
    if (history.state?.box) history.back();
    else this.shut();
  }

  shut() {
    this.dialog.close();
    this.stage.replaceChildren();
    this.tile?.focus({ preventScroll: true });
  }

  /** A picture that is gone leaves the page too, and the next one takes its place. */
  deleted(id) {
    const tiles = this.tiles;
    const gone = tiles.findIndex((tile) => tile.dataset.picture === id);
    const next = tiles[gone + 1] ?? tiles[gone - 1];
    const tile = tiles[gone];
    const card = tile?.closest("[data-job]");
    (tile?.closest("li") ?? tile)?.remove();
    if (card && !card.querySelector("a[data-picture]")) card.remove();
    if (next) this.show(next);
    else this.close();
  }
}

customElements.define("light-box", LightBox);
