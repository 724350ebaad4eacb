// The work as it happens: one stream tells how far each unfinished job is; cards change in place.

import { localise } from "./local-time.js";

const RETRY_MS = 3000;
const MAX_BLUR_PX = 14;
const LEAVE_MS = 200;

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
      if (event.data && JSON.parse(event.data).error?.code === "access_ended") {
        // Signed out elsewhere.
        location.assign(`/sign-in?${new URLSearchParams({ next: location.pathname })}`);
        return;
      }
      if (!event.data) this.lost.hidden = false;
      if (!event.data && this.source?.readyState !== EventSource.CLOSED) return;
      this.close();
      setTimeout(() => this.refresh(), RETRY_MS);
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
    const next = await this.renew(card);
    if (!next) return;
    const pattern = told.status === "failed" ? this.dataset.failed : this.dataset.ready;
    if (told.status !== "cancelled") this.say(pattern, next);
    this.follow();
  }

  /** Asks for each unfinished card anew, since meanwhile it may be over, or removed elsewhere. */
  async refresh() {
    for (const card of this.querySelectorAll("[data-live]")) await this.renew(card);
    this.follow();
  }

  /** Shows a job as it is now, and gives its new card where that is final. */
  async renew(card) {
    const response = await fetch(`/jobs/${card.dataset.job}/card`, { headers: { "x-part": "card" } }).catch(() => null);
    if (response?.status === 404) {
      this.dismiss(card);
      return null;
    }
    const next = response?.ok ? parse(await response.text()) : null;
    this.lost.hidden = next !== null;
    if (next && !next.hasAttribute("data-live")) {
      await this.replace(card, next);
      return next;
    }
    card.setAttribute("data-live", "");
    if (!next) setTimeout(() => this.refresh(), RETRY_MS);
    return null;
  }

  /** Swaps a card once its pictures are there to be shown. */
  async replace(card, next) {
    const pictures = [...next.querySelectorAll("img")];
    for (const picture of pictures) picture.loading = "eager";
    await Promise.allSettled(pictures.map((picture) => picture.decode()));
    keepSpace(card, next);
    const hadFocus = card.contains(document.activeElement);
    card.replaceWith(next);
    if (hadFocus) next.querySelector("a, button")?.focus({ preventScroll: true });
  }

  /** Takes a card away: those below it come up, and the focus goes to the one that takes its place. */
  async dismiss(card) {
    const heir = card.nextElementSibling ?? card.previousElementSibling;
    if (card.contains(document.activeElement)) {
      if (heir) heir.tabIndex = -1;
      (heir ?? document.querySelector("#prompt")).focus({ preventScroll: true });
    }
    card.removeAttribute("data-live");
    card.inert = true;
    card.style.overflow = "hidden";
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const shut = { height: 0, paddingBlock: 0, opacity: 0 };
    const open = { height: `${card.offsetHeight}px` };
    await card.animate([open, shut], { duration: still ? 0 : LEAVE_MS, easing: "ease-out" }).finished;
    card.remove();
    this.querySelector("h2").classList.toggle("unseen", !this.cards.firstElementChild);
  }

  /** Cancel, try again, draw again, remove: the card's own forms. */
  async submit(event) {
    const form = event.target.closest("[data-card-form]");
    if (!form) return;
    event.preventDefault();
    const card = form.closest("[data-job]");
    const response = await fetch(form.action, {
      method: "POST",
      headers: { "x-part": "card" },
      body: new URLSearchParams(new FormData(form)),
    }).catch(() => null);
    if (!response) {
      this.lost.hidden = false;
    } else if (!response.ok) {
      this.explain(card, (await response.json()).error.message);
      // It was removed elsewhere.
      if (response.status === 404) await this.dismiss(card);
    } else if (form.dataset.cardForm === "gone") {
      this.say(this.dataset.removed, card);
      await this.dismiss(card);
    } else if (form.dataset.cardForm === "new") {
      this.add(await response.text());
      this.cards.firstElementChild.scrollIntoView({ block: "nearest" });
    } else {
      await this.replace(card, parse(await response.text()));
      this.follow();
    }
  }

  /** Shows in the card why something was not done. */
  explain(card, message) {
    this.says.textContent = message;
    const line = card.querySelector("[data-why]") ?? document.createElement("p");
    line.className = "wrong";
    line.dataset.why = "";
    line.textContent = message;
    card.querySelector(".note").append(line);
  }

  say(pattern, card) {
    this.says.textContent = pattern.replace("{}", () => card.querySelector(".words").textContent);
  }
}

/** Where pictures stay away, their places stay, so that nothing below moves. */
function keepSpace(card, next) {
  const before = card.querySelector(".sheet");
  if (!before) return;
  const after = next.querySelector(".sheet") ?? next.appendChild(before.cloneNode(false));
  const missing = [...before.children].slice(after.children.length);
  if (!missing.length) return;
  after.className = before.className;
  for (const tile of missing) {
    const spent = document.createElement("div");
    spent.className = "tile spent";
    spent.append(tile.querySelector("svg").cloneNode(true));
    after.append(spent);
  }
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const card = document.importNode(template.content, true).firstElementChild;
  localise(card);
  // Each card comes with what its person has left since.
  const purse = document.querySelector("[data-purse]");
  if (purse && card.dataset.left) purse.textContent = card.dataset.left;
  return card;
}

customElements.define("live-jobs", LiveJobs);
