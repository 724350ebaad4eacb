// The prompt: grows with its words, draws on Enter, and orders without leaving the page.

class PromptForm extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.prompt = this.querySelector("textarea");
    this.mistake = this.querySelector("#mistake");
    this.button = this.querySelector(".draw");
    this.dataset.ready = "";
    this.prompt.addEventListener("input", () => this.grow());
    this.prompt.addEventListener("keydown", (event) => this.key(event));
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.querySelector("[name=model]")?.addEventListener("change", () => {
      this.form.requestSubmit(this.querySelector("[name=choose]"));
    });
    document.addEventListener("click", (event) => this.example(event));
    this.form.addEventListener("input", () => this.reckon());
    this.grow();
    this.reckon();
    const isNew = !location.hash && matchMedia("(hover: hover)").matches;
    if (isNew) this.prompt.focus({ preventScroll: true });
  }

  /** For browsers without `field-sizing`. */
  grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.prompt.style.height = "auto";
    this.prompt.style.height = `${this.prompt.scrollHeight}px`;
  }

  /** What the button costs with the steps that stand there now; the server decides all the same. */
  reckon() {
    const { usual, bySteps, pattern, one, other } = this.button.dataset;
    if (!usual) return;
    const field = this.form.elements.steps;
    const written = field?.value && field.validity.valid ? Number(field.value) : 0;
    this.form.elements.priced_steps.value = field?.value ?? "";
    for (const label of this.button.children) {
      const { draw, count, base, steps } = label.dataset;
      const each = bySteps === undefined ? Number(base) : Math.ceil((Number(base) * (written || Number(steps))) / Number(usual));
      const credits = each * Number(count);
      const amount = credits === 1 ? one : other.replace("{}", credits.toLocaleString(document.documentElement.lang));
      label.textContent = pattern.replace("{}", draw).replace("{}", amount);
    }
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.form.requestSubmit(this.button);
  }

  /** Words of an example go into the prompt. */
  example(event) {
    const link = event.target.closest("[data-words]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.prompt.value = link.dataset.words;
    this.grow();
    this.say("");
    this.prompt.focus();
    this.scrollIntoView({ block: "nearest" });
  }

  async submit(event) {
    if (event.submitter?.name === "choose") return;
    event.preventDefault();
    if (this.button.ariaDisabled === "true") return;
    this.button.ariaDisabled = "true";
    this.say("");
    try {
      const response = await fetch(this.form.action, {
        method: "POST",
        headers: { "x-part": "card" },
        body: new URLSearchParams(new FormData(this.form)),
      });
      if (response.ok) document.querySelector("live-jobs").add(await response.text());
      else this.refused((await response.json()).error);
    } catch {
      this.say(this.dataset.unreachable);
    } finally {
      this.button.ariaDisabled = "false";
    }
  }

  refused({ message, param, code }) {
    // The page then shows the price that holds.
    if (code === "price_changed") return this.form.submit();
    const names = { negative_prompt: "negative", n: "count" };
    const field = this.form.elements[names[param] ?? param];
    this.say(message);
    if (!(field instanceof HTMLElement)) return;
    field.ariaInvalid = "true";
    const hidden = field.closest("details:not([open])");
    if (hidden) hidden.open = true;
    field.focus();
  }

  say(message) {
    this.mistake.textContent = message;
    this.mistake.hidden = !message;
    for (const field of this.form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  }
}

customElements.define("prompt-form", PromptForm);
