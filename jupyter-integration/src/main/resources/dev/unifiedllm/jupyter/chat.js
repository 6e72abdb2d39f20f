// The view of a chat widget: it shows the state that Kotlin keeps, and sends what the user does. It writes no state.
// Only fields named `html` are HTML: Kotlin's renderer made them. All other text is untrusted and is set as text.

const VERSION = 1;
const FLUSH_MS = 50; // 20 changes of the page a second
const BLOCK = 4_000; // characters of growing text that are laid out together
const TICK_MS = 500;
const PING_MS = 4_000;
const RARE_PING_MS = 60_000; // of a kernel that does not answer
const SILENT_MS = 4_500; // without an answer to a ping: 9 s after the kernel's last word at most
const REFRESH_MS = 2_000;
const NOTICE_MS = 8_000;
const COPIED_MS = 1_500;
const PIECE = 3_000_000; // characters of a text or a file in one message: a Jupyter server takes 10 MB
const MAX_FILES = 10;
const VARIABLE = /\{\{\s*(\w+)\s*\}\}/g;
const IMAGE_TYPE = /^image\/(png|jpeg|gif|webp)$/;
const IMAGE_URL = /^data:image\/(png|jpeg|gif|webp);base64,/;

const PANELS = ["settings", "prompts", "export"];

const TOOL_STATES = { generating: "writing the call…", awaiting: "waits for your approval", running: "running…" };

const LINKS = {
  busy: "A cell is running. What you send is handled when it ends, and so are Stop and Approve.",
  silent: "The kernel does not answer. It was stopped or restarted, or it is busy. If it does not come back, run this cell again.",
  gone: "The kernel was stopped or restarted. Run this cell again for a new chat.",
  foreign: "This chat was made by another version of unified-llm. Run this cell again.",
};

/** Makes an element: `tag.class.class`, attributes and listeners, children. Classes get our prefix; strings become text. */
function h(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  node.classList.add(...classes.map((it) => `ullm-chat-${it}`));
  const properties = rest[0]?.constructor === Object ? rest.shift() : {};
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value != null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...rest.filter(Boolean));
  return node;
}

const iconButton = (name, label, click, classes = "") => h(`button.icon.${name}${classes}`, { type: "button", title: label, "aria-label": label, click });

const textButton = (label, click, classes = ".button") => h(`button${classes}`, { type: "button", click }, label);

function fromHtml(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

const block = (label, text) => h("div", h("div.label", label), h("pre", { tabindex: 0, role: "group", "aria-label": label }, text));

function pretty(json) {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch { // no JSON
    return json ?? "";
  }
}

function isEqual(a, b) {
  if (a === b) return true;
  if (Object(a) !== a || Object(b) !== b) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => isEqual(a[name], b[name]));
}

const now = () => performance.now();
const count = (number) => number.toLocaleString("en-US");
const seconds = (number) => (number < 0.1 ? `${Math.round(number * 1000)} ms` : `${number < 10 ? number.toFixed(1) : Math.round(number)} s`);
const kilobytes = (bytes) => `${count(Math.ceil(bytes / 1000))} kB`;
const newId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
const textOf = (message) => message.parts.filter((part) => part.type === "text").map((part) => part.text).join("\n\n");
const isComposing = (event) => event.isComposing || event.keyCode === 229; // the latter in Safari

function base64(file) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onloadend = () => resolve(String(reader.result ?? "").replace(/^[^,]*,/, ""));
    reader.readAsDataURL(file);
  });
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // no permission, or a page over http
    const area = h("textarea.hidden");
    const focused = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    focused?.focus({ preventScroll: true });
    return isCopied;
  }
}

/** Presses JupyterLab's button that adds a cell, and pastes there. */
async function toNewCell(el, code) {
  const panel = el.closest(".jp-NotebookPanel");
  panel?.querySelector('[data-command="notebook:insert-cell-below"]')?.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
  for (let frame = 0; frame < 60; frame++) {
    await new Promise(requestAnimationFrame);
    const cell = panel?.querySelector(".jp-Cell.jp-mod-active");
    const editor = cell?.querySelector(".cm-content");
    if (!editor || cell.contains(el)) continue;
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", code);
    editor.focus();
    editor.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    return true;
  }
  return false;
}

/** Text that grows. Only its last block is laid out again, so the time is linear. */
class PlainText {
  constructor(text) {
    this.node = h("div.plain");
    this.set(text);
  }

  set(text) {
    this.node.replaceChildren();
    this.last = null;
    this.append(text);
  }

  append(text) {
    for (let from = 0; from < text.length;) {
      this.last ??= this.node.appendChild(h("div.block", "")).appendChild(new Text());
      const end = this.endOf(text, from);
      this.last.appendData(text.slice(from, end));
      const isFull = this.last.length >= 4 * BLOCK || (this.last.length >= BLOCK && text[end - 1] === "\n");
      if (isFull) this.last = null;
      from = end;
    }
  }

  /** A block ends at a line's end, or after four times its length. */
  endOf(text, from) {
    const line = text.indexOf("\n", from + Math.max(0, BLOCK - this.last.length - 1)) + 1;
    const longest = from + 4 * BLOCK - this.last.length;
    const end = Math.min(line || text.length, longest);
    return end < text.length && /[\ud800-\udbff]/.test(text[end - 1]) ? end + 1 : end; // no half characters
  }
}

/** The text of an answer: complete blocks as HTML, the rest plain. */
class TextPart {
  constructor(part, chat) {
    this.chat = chat;
    this.html = h("div");
    this.html.className = "ullm-text";
    this.tail = new PlainText(this.rest(part));
    this.node = h("div.text", this.html, this.tail.node);
    this.addHtml(part.html);
  }

  rest(part) {
    return part.html ? part.text.slice(part.upTo).replace(/^\s*\n/, "") : part.text;
  }

  addHtml(html) {
    if (!html) return;
    const content = fromHtml(html);
    content.querySelectorAll(".ullm-code").forEach((block) => this.chat.addCodeTools(block));
    this.html.append(content);
  }

  grow(part, text, html) {
    this.addHtml(html);
    if (html) this.tail.set(this.rest(part));
    else this.tail.append(text);
  }
}

class ReasoningPart {
  constructor(part) {
    this.summary = h("summary", { click: () => (this.isTouched = true) });
    this.text = new PlainText(part.text);
    this.node = h("details.reasoning", this.summary, this.text.node);
  }

  grow(part, text) {
    this.text.append(text);
  }

  /** Open while it is the last part of a growing answer, unless the user has chosen. */
  show(part, isGrowing) {
    const time = part.seconds == null ? "" : `, ${seconds(part.seconds)}`;
    this.summary.textContent = `Thinking${isGrowing ? "…" : ""} (${count(part.text.length)} characters${time})`;
    this.node.hidden = !part.text;
    if (!this.isTouched) this.node.open = isGrowing;
  }
}

function tool(part, chat) {
  const { name, state } = part;
  const isAwaiting = state === "awaiting";
  const facts = (TOOL_STATES[state] ?? state) + (part.seconds == null ? "" : ` · ${seconds(part.seconds)}`);
  return h("div.tool", { "data-state": state },
    h("details", { open: isAwaiting }, h("summary", h("code", name), " ", h("span.quiet", facts)),
      block("Arguments", pretty(part.arguments)), part.result != null && block("Result", pretty(part.result))),
    isAwaiting && approval(part, chat));
}

function approval({ name, callId }, chat) {
  const answer = (isApproved) => () => {
    box.querySelectorAll("button").forEach((button) => (button.disabled = true));
    chat.post("approve", { requestId: chat.running, callId, isApproved });
    chat.focusInput();
  };
  const label = `Allow the call of ${name}?`;
  chat.spoken.textContent = label; // the log is not read while the answer grows
  const box = h("div.approval", { role: "alertdialog", "aria-label": label }, h("span", "Allow this call?"),
    textButton("Approve", answer(true), ".button.primary"), textButton("Deny", answer(false)));
  return box;
}

function file(part, chat) {
  const node = h("div.file", h("span.chip", `${part.name ?? "file"} · ${part.text ?? part.mediaType}`));
  const show = (url) => IMAGE_URL.test(url ?? "") && node.replaceChildren(h("img", { src: url, alt: part.name ?? "image", title: part.text }));
  if (IMAGE_TYPE.test(part.mediaType)) chat.image(part.fileId, show);
  return node;
}

function source({ url, title }) {
  const isLink = /^(https?|mailto):/i.test(url ?? "");
  return h(isLink ? "a.chip" : "span.chip", isLink ? { href: url, title: url, target: "_blank", rel: "noopener noreferrer" } : {}, title || url);
}

const PARTS = {
  text: (part, chat) => new TextPart(part, chat),
  reasoning: (part) => new ReasoningPart(part),
  tool: (part, chat) => ({ node: tool(part, chat) }),
  file: (part, chat) => ({ node: file(part, chat) }),
  source: (part) => ({ node: source(part) }),
  html: (part) => ({ node: h("div.html", fromHtml(part.html ?? "")) }),
};

/** One message. Its data change at once, the page when it is flushed. */
class MessageView {
  constructor(chat, message) {
    this.chat = chat;
    this.shown = [];
    this.body = h("div.body");
    this.below = h("div");
    this.node = h(`article.message.${message.role}`, this.body, this.below);
    this.set(message);
    this.flush();
  }

  set(message) {
    if (isEqual(message, this.message)) return true;
    if (this.queue?.size) this.flush();
    this.message = { ...message, parts: message.parts.map((part) => ({ ...part })) }; // a copy: the other views share the state
    this.queue = null;
    return true;
  }

  /** Adds the parts of a delta to the data; false if they do not fit. */
  grow(added) {
    for (const { index, type, from, text, html, upTo } of added) {
      const { parts } = this.message;
      if (index === parts.length && from === 0) parts.push({ type, text: "", ...(type === "text" ? { html: null, upTo: 0 } : { seconds: null }) });
      const part = parts[index];
      if (part?.type !== type || part.text.length !== from) return false;
      part.text += text;
      if (html) Object.assign(part, { html: (part.html ?? "") + html, upTo });
      const waiting = this.queue?.get(index) ?? { text: "", html: "" };
      this.queue?.set(index, { text: waiting.text + text, html: waiting.html + (html ?? "") });
    }
    return true;
  }

  flush() {
    if (this.queue) {
      for (const [index, { text, html }] of this.queue) {
        if (this.shown[index]) this.shown[index].grow(this.message.parts[index], text, html);
        else this.showPart(index);
      }
    } else {
      this.showParts();
      this.showBelow();
    }
    this.queue = new Map();
    const last = this.message.parts.length - 1;
    const isGrowing = this.message.state === "streaming";
    this.shown.forEach((shown, index) => shown?.show?.(this.message.parts[index], isGrowing && index === last));
  }

  showParts() {
    this.node.dataset.state = this.message.state;
    this.node.setAttribute("aria-label", { user: "You", assistant: "Assistant" }[this.message.role] ?? "Note");
    const parts = this.message.parts;
    this.shown.splice(parts.length).forEach((shown) => shown?.node.remove());
    parts.forEach((part, index) => {
      if (!isEqual(this.shown[index]?.part, part)) this.showPart(index);
    });
  }

  showPart(index) {
    const part = this.message.parts[index];
    const old = this.shown[index];
    const shown = PARTS[part.type]?.(part, this.chat) ?? { node: h("span") };
    this.shown[index] = Object.assign(shown, { part, isTouched: old?.isTouched });
    if (!old) return this.body.append(shown.node);
    shown.node.open = old.node.open;
    if (part.type === "tool" && old.part.state === "running" && part.state !== "awaiting") shown.node.firstChild.open = old.node.firstChild.open;
    old.node.replaceWith(shown.node);
  }

  showBelow() {
    const { message } = this;
    this.below.replaceChildren(
      ...message.notes.map((note) => h("div.note", note)),
      message.error ? this.errorCard(message.error) : "",
      message.stateText ? h("div.state", message.stateText) : "",
      h("div.foot",
        message.footer && h("span.footer", message.footer),
        h("span.actions", ...this.actions())));
  }

  errorCard(error) {
    return h("div.error",
      h("b", error.title),
      h("div", error.message),
      error.details && h("details", h("summary", "Details"), block("", error.details)),
      textButton("Try again", this.regenerate, ".button.change.again"));
  }

  actions() {
    const { message, chat } = this;
    const isUser = message.role === "user";
    const canRetry = isUser ? message.state === "unanswered" : message.role === "assistant";
    return [
      textOf(message) && chat.copyButton(iconButton("copy", "Copy message"), () => textOf(this.message)),
      canRetry && iconButton("retry", isUser ? "Send again" : "Regenerate", this.regenerate, isUser ? ".change" : ".change.again"),
      isUser && iconButton("edit", "Edit and send again", () => [chat.edit(message), chat.focusInput()], ".change"),
      iconButton("delete", "Delete message", () => chat.post("delete", { messageId: message.id }), ".change"),
    ];
  }

  regenerate = () => this.chat.begin("regenerate", { messageId: this.message.id });
}

class Chat {
  views = new Map();
  dirty = new Set();
  images = new Map();
  files = [];
  draft = "";
  link = "ok";
  pending = null;
  options = {};
  heard = 0;
  pinged = 0;
  pings = 0;
  lastPing = -PING_MS;
  flushed = -FLUSH_MS;
  isFollowing = true;

  constructor(model, el) {
    Object.assign(this, { model, el });
    this.build();
    el.append(this.root);
    model.on("msg:custom", this.receive);
    model.on("change", this.changed);
    window.addEventListener("keydown", this.suppressShortcuts, true);
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.sync();
    if (this.running) this.refresh(); // the state may be older than the last delta
    this.tick();
  }

  close() {
    this.model.off("msg:custom", this.receive);
    this.model.off("change", this.changed);
    window.removeEventListener("keydown", this.suppressShortcuts, true);
    [this.timer, this.flushTimer, this.noticeTimer].forEach(clearTimeout);
    this.root.remove();
  }

  // ---- the page

  build() {
    this.title = h("b");
    this.modelName = h("span.quiet");
    this.totals = h("span.totals.quiet");
    this.undoButton = textButton("", () => this.change("undo"), ".link.change");
    this.exportButton = textButton("Export", () => this.toggle("export"), ".link");
    this.clearButton = textButton("Clear", () => this.change("clear"), ".link.change");
    this.budget = h("div.budget");
    this.empty = h("div.empty", h("b", "No messages yet"), h("span", "Start the conversation below."));
    this.list = h("div.list");
    this.pendingBox = h("div.list");
    this.phase = h("div.phase", { "aria-live": "off" });
    const scrolling = { scroll: this.scrolled, wheel: this.wheeled };
    this.log = h("div.log", { role: "log", "aria-live": "polite", "aria-label": "Conversation", tabindex: 0, ...scrolling },
      this.empty, this.list, this.pendingBox, this.phase);
    this.log.addEventListener("toggle", this.scrolled, true); // it does not bubble
    const jump = () => [(this.isFollowing = true), this.follow(), this.focusInput()];
    this.jump = h("button.jump", { type: "button", hidden: true, click: jump }, "↓ Jump to end");
    this.banner = h("div.banner", { role: "status" });
    this.notice = h("div.notice", { role: "status" });
    this.spoken = h("div.hidden", { role: "status" });
    this.panel = h("div.panel", { role: "group" });
    this.chips = h("div.chips");
    this.editBar = h("div.row.bar", { hidden: true }, "Editing: all messages after it will be removed.",
      textButton("Cancel", () => [this.edit(null), this.focusInput()], ".link"));
    const head = h("div.head", h("span.names", this.title, this.modelName), this.totals,
      h("span.links", this.undoButton, this.exportButton, this.clearButton));
    this.root = h("section", { keydown: this.keys, dragover: this.taken, drop: this.taken, dragleave: this.taken }, head, this.budget, this.log,
      h("div.jumpRow", this.jump), this.banner, this.notice, this.panel, this.editBar, this.chips, this.composer(), this.spoken);
    this.root.className = "ullm-chat";
    this.root.addEventListener("beforeinput", (event) => event.stopPropagation(), true); // JupyterLab prevents new lines
    this.toggle(null);
  }

  composer() {
    this.settingsButton = iconButton("settings", "Configuration", () => this.toggle("settings"));
    this.promptsButton = iconButton("prompts", "Prompts", () => this.toggle("prompts"));
    this.attachButton = iconButton("attach", "Attach files", () => this.picker.click());
    const picked = () => [this.attach(this.picker.files), (this.picker.value = "")];
    this.picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Attach files", change: picked });
    const typing = { input: this.typed, keydown: this.inputKeys, paste: this.taken };
    this.input = h("textarea", { rows: 1, "aria-label": "Message", ...typing });
    this.sendButton = iconButton("send", "Send (Enter)", () => this.send());
    this.stopButton = iconButton("stop", "Stop (Esc)", this.stop);
    return h("div.composer",
      h("div.tools", this.settingsButton, this.promptsButton, this.attachButton, this.picker),
      this.input, h("div.tools", this.sendButton, this.stopButton));
  }

  sync() {
    const get = (name) => this.model.get(name);
    if (get("protocol") !== VERSION) return this.setLink("foreign");
    const [messages, options, { model }] = ["messages", "options", "config"].map(get);
    this.options = options;
    if (get("running")?.requestId === this.pending?.requestId) this.pending = null;
    // While an answer grows, the state's messages are older than the page.
    if (messages !== this.messages) {
      Object.assign(this, { messages, phaseText: get("phase") });
      this.keepFocus(() => this.showMessages(messages));
    }
    this.title.textContent = options.title;
    this.modelName.textContent = model === options.title ? "" : model;
    this.root.setAttribute("aria-label", `Chat: ${options.title}`);
    this.showTotals(get("totals"));
    this.undoButton.hidden = !options.canUndo;
    this.undoButton.textContent = options.canUndo;
    this.exportButton.hidden = this.clearButton.hidden = !messages.length;
    this.settingsButton.hidden = !options.showConfigurationControls;
    this.promptsButton.hidden = !options.prompts.length;
    this.attachButton.hidden = !options.allowAttachments;
    this.picker.accept = options.accept.join(",");
    this.root.style.setProperty("--ullm-max", options.maxHeight && `${options.maxHeight}px`);
    this.root.toggleAttribute("data-once", options.canRegenerate === false);
    this.input.placeholder = options.disabled ? "This chat is read-only." : `Type a message${options.prompts.length ? ", / for prompts" : ""}`;
    if (this.opened === "settings") this.fillSettings();
    this.showRunning();
    this.follow();
  }

  /** Changes the messages. The input gets the focus if what had it is removed. */
  keepFocus(change) {
    const hasFocus = () => this.list.contains(document.activeElement);
    const hadFocus = hasFocus();
    change();
    if (hadFocus && !hasFocus()) this.focusInput();
  }

  showMessages(messages) {
    const old = this.views;
    this.views = new Map();
    messages.forEach((message, index) => {
      const view = old.get(message.id) ?? new MessageView(this, message);
      this.views.set(message.id, view);
      old.delete(message.id);
      view.set(message);
      view.flush();
      const there = this.list.children[index] ?? null;
      if (there !== view.node) this.list.insertBefore(view.node, there);
    });
    old.forEach((view) => view.node.remove());
    if (this.edited && !this.views.has(this.edited)) this.edit(null);
  }

  showTotals({ text, budget }) {
    this.totals.textContent = text;
    const bar = budget && h("progress", { max: 1, value: Math.min(1, Math.max(0, budget.fraction)), "aria-label": "Budget" });
    this.budget.replaceChildren(...(budget ? [bar, budget.text] : []));
    this.budget.dataset.state = budget?.state ?? "";
  }

  /** The request that runs: from the user's Send to its end. */
  get running() {
    const running = this.model.get("running")?.requestId ?? null;
    return this.isLost ? null : this.pending?.requestId ?? (running === this.ended ? null : running);
  }

  get isLost() {
    return /gone|foreign/.test(this.link);
  }

  get isLocked() {
    return Boolean(this.running || this.options.disabled || this.isLost);
  }

  showRunning() {
    const { running, isLost } = this;
    if (running !== this.timed) Object.assign(this, { timed: running, began: now(), isStopping: false });
    const focused = document.activeElement;
    this.root.toggleAttribute("data-locked", this.isLocked);
    this.log.setAttribute("aria-busy", String(Boolean(running)));
    this.sendButton.hidden = Boolean(running);
    this.stopButton.hidden = !running;
    if (focused?.hidden && this.root.contains(focused)) this.focusInput();
    const isOff = Boolean(this.options.disabled || isLost);
    for (const control of [this.input, this.settingsButton, this.promptsButton, this.attachButton]) control.disabled = isOff;
    this.exportButton.disabled = isLost;
    this.empty.hidden = Boolean(this.list.childElementCount || this.pending);
    this.showPending();
    this.showPhase();
    this.showSend();
  }

  showSend() {
    this.sendButton.disabled = this.isLocked || !(this.input.value.trim() || this.files.length);
  }

  showPending() {
    if (this.pending === this.shownPending) return;
    this.shownPending = this.pending;
    const { text, files } = this.pending ?? {};
    this.pendingBox.replaceChildren(...(text == null ? [] : [h("article.message.user", { "aria-label": "You" },
      h("div.body", ...files.map((file) => h("span.chip", file.name)), new PlainText(text).node))]));
  }

  showPhase() {
    this.phase.hidden = !this.running;
    if (!this.running) return;
    const phase = this.isStopping ? "stopping" : this.pending ? "sending" : this.phaseText ?? "answering";
    const elapsed = Math.floor((now() - this.began) / 1000);
    const text = (this.link === "busy" ? "waiting for the running cell" : phase) + (elapsed ? ` · ${elapsed} s` : "");
    if (this.phase.textContent !== text) this.phase.textContent = text;
  }

  say(text) {
    this.notice.textContent = text;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => (this.notice.textContent = ""), NOTICE_MS);
  }

  focusInput() {
    this.input.focus({ preventScroll: true });
  }

  // ---- messages

  post(type, fields) {
    try {
      this.model.send({ v: VERSION, type, ...fields });
    } catch { // the comm is closed
      this.isClosed = true;
      this.setLink("gone");
    }
  }

  changed = () => {
    this.hear();
    this.refreshed = null;
    this.sync();
  };

  receive = (message) => {
    if (message?.v !== VERSION) return;
    const { type, requestId } = message;
    if (type === "pong") this.pinged = this.pings = 0;
    this.hear();
    const isSent = requestId != null && requestId === this.pending?.requestId;
    if (["delta", "message", "phase", "end"].includes(type) && requestId !== this.running) return;
    if (isSent && type !== "refused") [(this.pending = null), this.showRunning()];
    if (type === "delta") this.update(message.messageId, (view) => view.grow(message.parts));
    else if (type === "message") this.update(message.message.id, (view) => view.set(message.message));
    else if (type === "phase") [(this.phaseText = message.text), this.showPhase()];
    else if (type === "end") this.finish(message);
    else if (type === "refused") this.refuse(message, isSent);
    else if (type === "alive") this.isCellRunning = message.busy;
    else if (type === "notice") this.say(message.text);
    else if (type === "file") [this.images.get(message.fileId)?.(message.url), this.images.delete(message.fileId)];
    else if (type === "export" && message.format === this.exporting) this.download(message);
  };

  /** Changes the data of a message now and the page later; asks for the state if it does not fit. */
  update(id, change) {
    const view = this.views.get(id);
    if (!view || !change(view)) return this.refresh();
    this.dirty.add(view);
    this.flushTimer ??= setTimeout(() => this.flush(), Math.max(0, this.flushed + FLUSH_MS - now()));
  }

  flush() {
    this.flushTimer = null;
    this.flushed = now();
    this.keepFocus(() => this.dirty.forEach((view) => view.flush()));
    this.dirty.clear();
    this.follow();
  }

  finish({ requestId, message, totals }) {
    Object.assign(this, { ended: requestId, phaseText: null });
    this.log.setAttribute("aria-busy", "false"); // first, so that screen readers read the whole answer
    const view = this.views.get(message?.id);
    if (view?.set(message)) this.dirty.add(view);
    this.flush();
    if (totals) this.showTotals(totals);
    this.showRunning();
    this.follow();
  }

  refuse({ attachmentId, reason }, isSent) {
    for (const holder of [this, this.pending ?? {}]) holder.files = holder.files?.filter((file) => file.attachmentId !== attachmentId);
    if (isSent) {
      const { draft, edited, files = [] } = this.pending;
      Object.assign(this, { pending: null, files: [...files, ...this.files] });
      const message = this.views.get(edited)?.message;
      if (message) [this.edit(message), this.fill()];
      this.fill(draft, this.input.value);
      this.showRunning();
    }
    this.showChips();
    this.say(reason);
  }

  refresh() {
    if (this.refreshed && now() - this.refreshed < REFRESH_MS) return;
    this.refreshed = now();
    this.post("refresh");
  }

  /** Begins a turn: it runs for the user from now on. */
  begin(type, fields, pending = {}) {
    if (this.isLocked) return;
    Object.assign(this, { pending, phaseText: null, isFollowing: true });
    pending.requestId = newId();
    this.showRunning();
    this.follow();
    this.focusInput();
    if (type) this.post(type, { ...fields, requestId: pending.requestId });
  }

  async send(text = this.input.value.trim(), draft = "") {
    const { files, edited } = this;
    if (this.running) return this.say("An answer is running. Stop it first.");
    if (this.isLocked || !(text || files.length)) return;
    if (text.length > PIECE) return this.say("The message is too long. Attach it as a file.");
    if (!edited) this.draft = draft;
    const pending = { draft: text, edited };
    this.edit(null);
    if (edited) return this.begin("edit", { messageId: edited, text }, pending);
    Object.assign(pending, { text, files, isReading: true });
    this.begin(null, {}, pending);
    this.files = [];
    this.showChips();
    await Promise.all(files.map((file) => file.sent));
    if (this.pending !== pending) return; // stopped while a file was read
    pending.isReading = false;
    this.post("send", { requestId: pending.requestId, text, attachments: pending.files.map((file) => file.attachmentId) });
  }

  /** Takes a message into the input, to be sent in its place; null brings the draft back. */
  edit(message) {
    if (message && !this.edited) this.draft = this.input.value;
    this.edited = message?.id;
    this.editBar.hidden = !message;
    this.chips.hidden = Boolean(message);
    this.views.forEach((view) => view.node.toggleAttribute("data-edited", view.message === message));
    this.fill(message ? textOf(message) : this.draft);
  }

  /** A second Stop takes a message back of which nothing was heard. */
  stop = () => {
    if (!this.running) return;
    this.post("stop", { requestId: this.running });
    if (this.pending?.isReading || (this.pending && this.isStopping && this.link !== "busy")) return this.refuse({ reason: "Not sent." }, true);
    this.isStopping = true;
    this.showPhase();
    this.focusInput();
  };

  change(type) {
    this.post(type);
    this.focusInput();
  }

  download({ name, text, format }) {
    this.exporting = null;
    const url = URL.createObjectURL(new Blob([text], { type: format === "json" ? "application/json" : "text/markdown" }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), NOTICE_MS);
  }

  /** Calls show with the data URL of an image. */
  image(fileId, show) {
    this.images.set(fileId, show);
    this.post("file", { fileId });
  }

  // ---- the kernel

  hear() {
    this.heard = now();
    if (this.link !== "ok") this.setLink(this.linkNow());
  }

  tick() {
    if (document.hidden || !this.el.isConnected) return;
    this.showPhase();
    this.follow(); // JupyterLab takes cells out of the page and back
    this.setLink(this.linkNow());
    if (now() - this.lastPing < (this.pings > 1 ? RARE_PING_MS : PING_MS)) return;
    this.lastPing = now();
    this.pinged ||= now();
    this.post("ping", { n: ++this.pings });
  }

  /** What is known of the kernel: by its answers, by its other thread while a cell runs, and by JupyterLab. */
  linkNow() {
    const status = this.model.widget_manager?.kernel?.status;
    if (this.model.get("protocol") !== VERSION) return "foreign";
    if (this.isClosed || this.el.closest(".jupyter-widgets-disconnected") || status === "dead") return "gone";
    if (!this.pinged || now() - this.pinged < SILENT_MS) return "ok";
    if (now() - this.heard < SILENT_MS) return this.isCellRunning ? "busy" : "ok";
    return { busy: "busy", idle: "gone" }[status] ?? "silent";
  }

  setLink(link) {
    if (link === this.link) return;
    const isBack = link === "ok" && /silent|gone/.test(this.link);
    this.link = link;
    this.banner.textContent = LINKS[link] ?? "";
    if (this.isLost && this.pending) this.refuse({ reason: "Not sent." }, true);
    this.showRunning();
    if (isBack) this.refresh(); // for what was lost
  }

  // ---- scrolling

  scrolled = ({ type }) => {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    const left = scrollHeight - clientHeight - scrollTop;
    if (type === "toggle" || scrollTop < this.lastTop) this.isFollowing = left <= 1;
    else if (left < 24) this.isFollowing = true;
    this.lastTop = scrollTop;
    this.jump.hidden = this.isFollowing;
  };

  /** Before the scroll event: the next flush must not take the page back. */
  wheeled = (event) => {
    if (event.deltaY < 0 && this.log.scrollTop > 0) this.isFollowing = false;
  };

  follow() {
    if (this.isFollowing) this.log.scrollTop = this.log.scrollHeight;
    this.jump.hidden = this.isFollowing;
  }

  // ---- keys

  /** Keys in the widget are no commands of JupyterLab, but those with Ctrl or Cmd (save, find): not Enter, Y and Z (redo, undo). */
  suppressShortcuts = ({ target, keyCode, ctrlKey, metaKey }) => {
    if (this.root.contains(target)) target.toggleAttribute("data-lm-suppress-shortcuts", [13, 89, 90].includes(keyCode) || !(ctrlKey || metaKey));
  };

  keys = (event) => {
    if (event.key !== "Escape" || isComposing(event)) return;
    event.stopPropagation();
    if (this.opened) this.toggle(this.opened);
    else if (this.edited) this.edit(null);
    else this.stop();
  };

  inputKeys = (event) => {
    const isFirst = !isComposing(event) && !event.shiftKey && !event.altKey;
    const isEmpty = isFirst && !this.input.value;
    if (event.key === "Enter" && isFirst) {
      event.preventDefault();
      this.send();
    } else if (event.key === "/" && isEmpty && !this.promptsButton.hidden) {
      event.preventDefault();
      if (this.opened !== "prompts") this.toggle("prompts");
    } else if (event.key === "ArrowUp" && isEmpty) {
      const last = this.messages.findLast((message) => message.role === "user");
      if (last) [event.preventDefault(), this.fill(textOf(last))];
    }
  };

  typed = () => {
    if (!CSS.supports("field-sizing", "content")) {
      this.input.style.height = "auto";
      this.input.style.height = `${this.input.scrollHeight}px`;
    }
    this.showSend();
  };

  fill(...texts) {
    this.input.value = texts.filter(Boolean).join("\n");
    this.typed();
  }

  // ---- code, copying

  copyButton(button, text) {
    const show = (isCopied) => [button.toggleAttribute("data-copied", isCopied), (this.spoken.textContent = isCopied ? "Copied" : "")];
    button.addEventListener("click", async () => {
      if (!(await copyText(text()))) return this.say("Not copied.");
      show(true);
      setTimeout(show, COPIED_MS, false);
    });
    return button;
  }

  addCodeTools(block) {
    const code = () => block.querySelector("pre")?.textContent ?? "";
    const language = block.querySelector(".ullm-lang");
    const isKotlin = /^(kotlin|kts?|)$/i.test(language?.textContent ?? "");
    const toCell = async () => (await toNewCell(this.el, code())) || this.say("No cell was added. Copy the code instead.");
    block.prepend(h("div.code", language, h("span.links",
      this.copyButton(textButton("Copy", null, ".link"), code),
      isKotlin && textButton("To a new cell", toCell, ".link.cell"))));
  }

  // ---- attachments

  /** Files that are pasted, dragged over the widget or dropped. */
  taken = (event) => {
    const { files, types } = event.clipboardData ?? event.dataTransfer;
    const isText = event.clipboardData && types.includes("text/plain") && types.includes("text/html"); // Excel's, with a picture
    if (!this.options.allowAttachments || this.input.disabled || !types.includes("Files") || isText) return;
    event.preventDefault();
    event.stopPropagation();
    this.root.toggleAttribute("data-drop", event.type === "dragover");
    if (/paste|drop/.test(event.type)) this.attach(files);
  };

  /** Kotlin checks types and sizes. What is too much is not even read. */
  attach(files) {
    const limit = this.options.maxAttachmentBytes;
    if (this.edited) return this.say("An edited message keeps its files. Attach others to a new one.");
    if (this.files.length + files.length > MAX_FILES) return this.say(`At most ${MAX_FILES} files.`);
    for (const file of files) {
      if (file.size > limit) this.say(`${file.name} is too large: ${kilobytes(file.size)}, at most ${kilobytes(limit)}.`);
      else this.files.push(this.upload(file));
    }
    this.showChips();
    this.focusInput();
  }

  upload(source) {
    const { name, type: mediaType, size } = source;
    const file = { attachmentId: newId(), name, size };
    file.sent = base64(source).then((data) => {
      if (IMAGE_TYPE.test(mediaType)) file.preview = `data:${mediaType};base64,${data}`;
      for (let from = 0; from === 0 || from < data.length; from += PIECE) {
        const isLast = from + PIECE >= data.length;
        this.post("attach", { attachmentId: file.attachmentId, name, mediaType, data: data.slice(from, from + PIECE), isLast });
      }
      this.showChips();
    });
    return file;
  }

  detach(file) {
    this.files = this.files.filter((it) => it !== file);
    this.post("detach", { attachmentId: file.attachmentId });
    this.showChips();
    this.focusInput();
  }

  showChips() {
    this.chips.replaceChildren(...this.files.map((file) => h("span.chip",
      file.preview && h("img", { src: file.preview, alt: "" }), h("span.name", file.name),
      h("span.quiet", kilobytes(file.size)), iconButton("close", `Remove ${file.name}`, () => this.detach(file)))));
    this.showSend();
  }

  // ---- panels

  /** Opens or closes the panel with this name. */
  toggle(name) {
    this.opened = this.opened === name ? null : name;
    for (const key of PANELS) this[`${key}Button`].setAttribute("aria-expanded", key === this.opened);
    this.panel.hidden = !this.opened;
    this.panel.replaceChildren();
    if (!this.opened) return this[`${name}Button`]?.focus();
    this[`${name}Panel`]();
    this.panel.querySelector("input, textarea, .ullm-chat-item, .ullm-chat-button")?.focus();
  }

  showPanel(title, ...content) {
    this.panel.setAttribute("aria-label", title);
    this.panel.replaceChildren(h("div.row", h("b", title), iconButton("close", "Close", () => this.toggle(this.opened))), ...content);
  }

  settingsPanel() {
    this.fields = new Map();
    this.hint = h("div.hint.quiet");
    this.showPanel("Configuration", h("div.fields", ...this.model.get("settings").map((setting) => this.field(setting))), this.hint);
    this.fillSettings();
  }

  field(setting) {
    const { name, label, kind, min, max, step, help, suggestions } = setting;
    const id = `ullm-${newId()}`;
    const isNumber = /number|integer/.test(kind);
    const describe = () => (this.hint.textContent = `${label}: ${help}`);
    const range = isNumber ? { type: "number", min, max, step: step ?? "any" } : { type: "text" };
    const more = { title: help, rows: 2, placeholder: "default", list: `${id}-list` };
    const input = h(kind === "text" ? "textarea" : "input", { id, ...range, ...more, focus: describe, change: () => this.configure(setting, input) });
    this.fields.set(name, input);
    return h(`div.field.${kind}`, { mouseenter: describe }, h("label", { for: id }, label), input,
      suggestions.length ? h("datalist", { id: `${id}-list` }, ...suggestions.map((value) => h("option", { value }))) : "");
  }

  fillSettings() {
    for (const [name, input] of this.fields) {
      if (input !== document.activeElement) input.value = this.model.get("config")[name] ?? "";
    }
  }

  configure({ name, label }, input) {
    const isValid = input.checkValidity();
    input.setAttribute("aria-invalid", String(!isValid));
    if (!isValid) return this.say(`${label}: ${input.validationMessage}`);
    this.post("configure", { config: { [name]: input.value === "" ? null : input.type === "number" ? input.valueAsNumber : input.value } });
  }

  promptsPanel() {
    this.showPanel("Prompts", ...this.options.prompts.map((prompt) => textButton(prompt, () => this.choose(prompt), ".item")));
  }

  choose(prompt) {
    const names = [...new Set([...prompt.matchAll(VARIABLE)].map((match) => match[1]))];
    names.length ? this.openForm(prompt, names) : this.insert(prompt);
  }

  insert(text) {
    this.toggle("prompts");
    this.fill(this.input.value, text);
    this.focusInput();
  }

  openForm(prompt, names) {
    const inputs = new Map(names.map((name) => [name, h("input", { type: "text", id: `ullm-${newId()}`, autocomplete: "off", input: () => show() })]));
    const value = (name) => inputs.get(name).value.trim();
    const filled = () => prompt.replace(VARIABLE, (_, name) => value(name));
    const preview = h("div.preview");
    const insert = textButton("Insert", () => this.insert(filled()));
    const send = h("button.button.primary", "Send");
    const show = () => {
      preview.replaceChildren(...prompt.split(VARIABLE).map((text, index) => (index % 2 ? h("mark", value(text) || text) : text)));
      insert.disabled = send.disabled = !names.every(value);
    };
    const submit = (event) => {
      event.preventDefault();
      if (send.disabled || this.isLocked) return;
      this.toggle("prompts");
      this.send(filled(), this.input.value);
    };
    show();
    this.showPanel("Prompt", h("form", { submit },
      h("div.fields", ...names.map((name) => h("div.field.text", h("label", { for: inputs.get(name).id }, name), inputs.get(name)))),
      h("div.label", "Preview"), preview, h("div.row.end", insert, send)));
    inputs.get(names[0]).focus();
  }

  exportPanel() {
    const save = (format) => () => {
      this.exporting = format;
      this.post("export", { format });
      this.toggle("export");
    };
    this.showPanel("Export", h("div.row.end", textButton("Markdown", save("markdown")), textButton("JSON", save("json"))));
  }
}

export default {
  render({ model, el }) {
    const chat = new Chat(model, el);
    return () => chat.close();
  },
};
