// Has passkeys made and used. Without script, or where the browser knows none, there is the password.

/** A question holds for ten minutes; one that waits in the address field is asked anew before. */
const ASK_AGAIN_MS = 8 * 60_000;

const bytes = (letters) =>
  Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const letters = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer ?? []), (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** As the browser wants it: bytes where the server writes letters. */
function readable(options) {
  const known = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  return {
    ...options,
    challenge: bytes(options.challenge),
    user: options.user && { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: known(options.excludeCredentials),
    allowCredentials: known(options.allowCredentials),
  };
}

class PassKey extends HTMLElement {
  connectedCallback() {
    if (!window.PublicKeyCredential) return;
    this.form = this.querySelector("form");
    this.mistake = this.querySelector("[data-mistake]");
    this.querySelector("[data-without]")?.remove();
    this.hidden = this.form.hidden = false;
    this.form.addEventListener("submit", (event) => this.submit(event));
    if (!this.dataset.ask) return;
    // Nothing is stored in the browser of somebody who only looks.
    this.parentElement.addEventListener("focusin", () => this.offered ?? this.offer(), { once: true });
  }

  disconnectedCallback() {
    this.offered?.abort();
  }

  /** The browser names passkeys where the address is asked for, until one is chosen. */
  async offer() {
    const offered = (this.offered = new AbortController());
    const again = setTimeout(() => {
      offered.abort();
      this.offer();
    }, ASK_AGAIN_MS);
    try {
      if (await PublicKeyCredential.isConditionalMediationAvailable?.()) {
        this.send(await this.use({ mediation: "conditional", signal: offered.signal }));
      }
    } catch {
      // Another way was taken; the button is there all the same.
    } finally {
      clearTimeout(again);
    }
  }

  async submit(event) {
    event.preventDefault();
    this.offered?.abort();
    this.say("");
    try {
      this.send(this.dataset.create ? await this.make() : await this.use({}));
    } catch (error) {
      const { known, stopped, failed } = this.dataset;
      this.say({ InvalidStateError: known, NotAllowedError: stopped }[error.name] ?? failed);
    }
  }

  async make() {
    const publicKey = readable(JSON.parse(this.dataset.create));
    const { response } = await navigator.credentials.create({ publicKey });
    return {
      client_data: letters(response.clientDataJSON),
      attestation: letters(response.attestationObject),
      transports: response.getTransports?.().join(" ") ?? "",
    };
  }

  async use(how) {
    const publicKey = readable(this.dataset.use ? JSON.parse(this.dataset.use) : await this.ask(how.signal));
    const { rawId, response } = await navigator.credentials.get({ publicKey, ...how });
    return {
      credential: letters(rawId),
      client_data: letters(response.clientDataJSON),
      authenticator_data: letters(response.authenticatorData),
      signature: letters(response.signature),
      user_handle: letters(response.userHandle),
    };
  }

  async ask(signal) {
    const answer = await fetch(this.dataset.ask, { method: "POST", signal });
    if (!answer.ok) throw new Error((await answer.json()).error.code);
    return answer.json();
  }

  send(fields) {
    for (const [name, value] of Object.entries(fields)) {
      this.form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    this.form.submit();
  }

  say(words) {
    this.mistake.textContent = words ?? "";
    this.mistake.hidden = !words;
  }
}

customElements.define("pass-key", PassKey);
