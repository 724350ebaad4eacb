// Pictures that are ticked: says how many, ticks all, and ticks from one to another with Shift.

class PictureWall extends HTMLElement {
  connectedCallback() {
    this.counted = this.querySelector("[data-count]");
    this.all = document.createElement("button");
    this.all.type = "button";
    this.all.className = "word";
    this.all.textContent = this.dataset.all;
    this.all.addEventListener("click", () => this.tickAll());
    this.counted.after(this.all);
    this.addEventListener("click", (event) => this.click(event));
    this.addEventListener("change", () => this.say());
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.tickNone();
    });
    new MutationObserver(() => this.say()).observe(this.querySelector(".wall"), { childList: true });
    this.say();
  }

  get boxes() {
    return [...this.querySelectorAll('[name="picture"]')];
  }

  click(event) {
    const box = event.target.closest('[name="picture"]');
    if (!box) return;
    const boxes = this.boxes;
    const [from, to] = [boxes.indexOf(this.last), boxes.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) {
      for (const between of boxes.slice(from, to)) between.checked = box.checked;
      this.say();
    }
    this.last = box;
  }

  tickAll() {
    for (const box of this.boxes) box.checked = true;
    this.say();
  }

  tickNone() {
    for (const box of this.boxes) box.checked = false;
    this.say();
  }

  say() {
    const ticked = this.boxes.filter((box) => box.checked).length;
    const pattern = ticked === 1 ? this.dataset.one : this.dataset.other;
    this.counted.textContent = pattern.replace("{}", ticked);
    this.all.hidden = ticked === this.boxes.length;
  }
}

customElements.define("picture-wall", PictureWall);
