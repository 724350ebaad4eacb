// The work as it happens: one stream tells how far each unfinished job is; cards change in place.

import { localise } from "./local-time.js";

const RETRY_MS = 3000;
const MAX_BLUR_PX = 14;

class LiveJobs extends HTMLElement {
  connectedCallback() {
    this.cards = this.querySelector("[data-cards]");
    this.says = this.querySelector("[data-says]");
    this.lost = this.querySelector("[data-lost-line]");
    this.addEventListener("submit", (event) => this.submit(event));
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.follow());
    this.follow();
  }

  /** Puts the card of a new job on top. */
  add(html) {
    const card = parse(html);
    document.querySelector(".examples")?.remove();
    this.querySelector("h2").classList.remove("unseen");
    this.cards.prepend(card);
    this.say(this.dataset.started, card);
    this.follow();
  }

  /** Opens the stream for the jobs that are unfinished now. */
  follow() {
    const ids = [...this.querySelectorAll("[data-live]")].map((card) => card.dataset.job).join(",");
    if (this.source && this.ids === ids) return;
    this.close();
    if (!ids) return;
    this.ids = ids;
    this.source = new EventSource(`/v1/jobs/events?ids=${ids}`);
    const on = (name, act) => this.source.addEventListener(name, (event) => {
      const told = JSON.parse(event.data);
      const card = this.querySelector(`[data-job="${CSS.escape(told.id)}"]`);
      if (card) act.call(this, card, told);
    });
    on("progress", this.progress);
    on("preview", this.preview);
    on("end", this.end);
    this.source.addEventListener("open", () => (this.lost.hidden = true));
    this.source.addEventListener("error", (event) => {
      if (event.data) return;
      this.lost.hidden = false;
      if (this.source?.readyState !== EventSource.CLOSED) return;
      this.close();
      setTimeout(() => this.follow(), RETRY_MS);
    });
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  progress(card, told) {
    card.dataset.state = told.status === "running" ? "drawing" : told.status;
    const status = card.querySelector("[data-status]");
    if (status && status.textContent !== told.message) status.textContent = told.message;
    const bar = card.querySelector("[data-bar]");
    if (bar) bar.style.transform = `scaleX(${told.progress / 100})`;
  }

  preview(card, told) {
    const tile = card.querySelector(`[data-ordinal="${Number(told.picture_index)}"]`);
    if (!tile) return;
    const picture = new Image();
    picture.alt = "";
    picture.className = "fresh";
    picture.src = `data:${told.media_type};base64,${told.b64_json}`;
    picture.style.filter = `blur(${(MAX_BLUR_PX * (1 - told.step / told.steps)).toFixed(1)}px)`;
    picture.decode().then(() => {
      const older = tile.querySelectorAll("img");
      tile.append(picture);
      // The older one stays below until the newer one is there.
      setTimeout(() => older.forEach((img) => img.remove()), 600);
    }, () => {});
  }

  async end(card, told) {
    // Nothing more is followed then, so that the end of the stream is no lost connection.
    card.removeAttribute("data-live");
    if (!this.querySelector("[data-live]")) this.close();
    const next = await this.fetchCard(card.dataset.job);
    if (!next) {
      card.setAttribute("data-live", "");
      this.lost.hidden = false;
      setTimeout(() => this.follow(), RETRY_MS);
      return;
    }
    this.lost.hidden = true;
    await this.replace(card, next);
    const pattern = told.status === "failed" ? this.dataset.failed : this.dataset.ready;
    if (told.status !== "cancelled") this.say(pattern, next);
    this.follow();
  }

  async fetchCard(id) {
    const response = await fetch(`/jobs/${id}/card`, { headers: { "x-part": "card" } }).catch(() => null);
    return response?.ok ? parse(await response.text()) : null;
  }

  /** Swaps a card once its pictures are there to be shown. */
  async replace(card, next) {
    const pictures = [...next.querySelectorAll("img")];
    for (const picture of pictures) picture.loading = "eager";
    await Promise.allSettled(pictures.map((picture) => picture.decode()));
    const hadFocus = card.contains(document.activeElement);
    card.replaceWith(next);
    if (hadFocus) next.querySelector("a, button")?.focus({ preventScroll: true });
  }

  /** Cancel, try again, draw again: the card's own forms. */
  async submit(event) {
    const form = event.target.closest("[data-card-form]");
    if (!form) return;
    event.preventDefault();
    const response = await fetch(form.action, {
      method: "POST",
      headers: { "x-part": "card" },
      body: new URLSearchParams(new FormData(form)),
    }).catch(() => null);
    if (!response) {
      this.lost.hidden = false;
    } else if (!response.ok) {
      this.says.textContent = (await response.json()).error.message;
    } else if (form.dataset.cardForm === "new") {
      this.add(await response.text());
      this.cards.firstElementChild.scrollIntoView({ block: "nearest" });
    } else {
      const card = form.closest("[data-job]");
      await this.replace(card, parse(await response.text()));
      this.follow();
    }
  }

  say(pattern, card) {
    this.says.textContent = pattern.replace("{}", () => card.querySelector(".words").textContent);
  }
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const card = document.importNode(template.content, true).firstElementChild;
  localise(card);
  return card;
}

customElements.define("live-jobs", LiveJobs);
