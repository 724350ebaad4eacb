// One picture with its details: copies its words, marks it as a favourite; in the light box, deletes
// without leaving.

const COPIED_MS = 2000;

class PictureView extends HTMLElement {
  connectedCallback() {
    const copy = this.querySelector("[data-copy]");
    if (copy && navigator.clipboard) {
      copy.hidden = false;
      copy.addEventListener("click", () => this.copy(copy));
    }
    this.addEventListener("submit", (event) => this.submit(event));
  }

  async copy(button) {
    await navigator.clipboard.writeText(this.querySelector(".words").textContent);
    const label = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = label), COPIED_MS);
  }

  submit(event) {
    const star = event.target.closest("[data-star]");
    if (star) return this.star(event, star);
    return this.delete(event);
  }

  async star(event, form) {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.action, { method: "POST", headers: { "x-part": "view" }, body }).catch(() => null);
    if (!response?.ok) {
      form.submit();
      return;
    }
    const marked = form.elements.on.value === "1";
    form.elements.on.value = marked ? "" : "1";
    const button = form.querySelector("button");
    button.textContent = marked ? button.dataset.unmark : button.dataset.mark;
  }

  async delete(event) {
    const form = event.target.closest(".delete form");
    if (!form || !this.closest("light-box")) return;
    event.preventDefault();
    const response = await fetch(form.action, { method: "POST", headers: { "x-part": "view" } }).catch(() => null);
    if (!response?.ok) {
      form.submit();
      return;
    }
    this.dispatchEvent(new CustomEvent("picture-deleted", { bubbles: true, detail: this.dataset.picture }));
  }
}

customElements.define("picture-view", PictureView);
