// Uploads: files and folders dropped anywhere on the page or chosen, two at a time, each with its
// bar and one for all. XMLHttpRequest, because fetch does not tell how much has been sent. The
// bytes go straight to the API; a name that is taken is not overwritten before somebody says so.

(() => {
  const area = document.querySelector("[data-drop]");
  const list = document.querySelector("[data-uploads]");
  if (!(area instanceof HTMLElement) || !(list instanceof HTMLElement)) return;
  const atOnce = 2;
  const filesMax = 10_000;

  /**
   * @typedef {object} Upload
   * @property {string} name
   * @property {File} file
   * @property {number} sent
   * @property {"waiting" | "sending" | "stored" | "taken" | "failed"} state
   * @property {boolean} replace
   * @property {{ row: HTMLElement, title: HTMLElement, says: HTMLElement, bar: HTMLProgressElement, acts: HTMLElement }} shown
   */

  /** @type {Upload[]} */
  const uploads = [];
  let startedAt = 0;
  /** @type {ReturnType<typeof row> | undefined} */
  let total;

  // ---- choosing
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    area.classList.add("is-over");
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) area.classList.remove("is-over");
  });
  addEventListener("drop", (event) => {
    area.classList.remove("is-over");
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    gather(event.dataTransfer).then(add);
  });
  for (const button of area.querySelectorAll("[data-pick]")) {
    button.addEventListener("click", () => {
      const input = document.createElement("input");
      input.type = "file";
      input.multiple = true;
      input.webkitdirectory = button.getAttribute("data-pick") === "folder";
      input.addEventListener("change", () => {
        add([...input.files ?? []].map((file) => ({ file, path: file.webkitRelativePath })));
      });
      input.click();
    });
  }

  /** @param {DataTransfer} dropped @returns {Promise<{ file: File, path: string }[]>} */
  async function gather(dropped) {
    // Entries must be taken before the first wait: the list is emptied after the event.
    const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.() ?? null);
    if (entries.every((entry) => entry === null)) {
      return [...dropped.files].map((file) => ({ file, path: "" }));
    }
    /** @type {{ file: File, path: string }[]} */
    const found = [];
    for (const entry of entries) if (entry !== null) await walk(entry, found);
    return found;
  }

  /** @param {FileSystemEntry} entry @param {{ file: File, path: string }[]} found */
  async function walk(entry, found) {
    if (found.length >= filesMax) return;
    const path = entry.fullPath.replace(/^\//, "");
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) =>
        /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject)
      );
      found.push({ file, path });
      return;
    }
    const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
    for (;;) {
      const some = /** @type {FileSystemEntry[]} */ (
        await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
      );
      if (some.length === 0) return;
      for (const each of some) await walk(each, found);
    }
  }

  // ---- the list
  /** @param {{ file: File, path: string }[]} chosen */
  function add(chosen) {
    const field = document.querySelector("[data-folder]");
    const folder = field instanceof HTMLInputElement ? field.value.replace(/^\/+|\/+$/g, "") : "";
    if (uploads.every(({ state }) => state !== "sending" && state !== "waiting")) {
      startedAt = performance.now();
    }
    for (const { file, path } of chosen) {
      const name = [folder, path || file.name].filter((part) => part !== "").join("/");
      const shown = row(name);
      list?.append(shown.row);
      /** @type {Upload} */
      const upload = { name, file, sent: 0, state: "waiting", replace: false, shown };
      uploads.push(upload);
      say(upload, `${size(file.size)}, waiting`);
    }
    start();
  }

  /** @param {string} name */
  function row(name) {
    const element = document.createElement("div");
    element.className = "up";
    const title = document.createElement("span");
    title.className = "clip";
    title.title = name;
    title.textContent = name;
    const says = document.createElement("span");
    says.className = "soft";
    const acts = document.createElement("span");
    acts.className = "up-acts";
    const bar = document.createElement("progress");
    bar.max = 100;
    bar.value = 0;
    bar.setAttribute("aria-label", name);
    element.append(title, says, bar, acts);
    return { row: element, title, says, bar, acts };
  }

  function start() {
    const sending = uploads.filter(({ state }) => state === "sending").length;
    for (
      const upload of uploads.filter(({ state }) => state === "waiting")
        .slice(0, Math.max(0, atOnce - sending))
    ) send(upload);
    showTotal();
  }

  /** @param {Upload} upload */
  function send(upload) {
    upload.state = "sending";
    const request = new XMLHttpRequest();
    const path = upload.name.normalize("NFC").split("/").map(encodeURIComponent).join("/");
    request.open("PUT", `/api/files/${path}`);
    if (!upload.replace) request.setRequestHeader("If-None-Match", "*");
    request.upload.addEventListener("progress", (event) => {
      upload.sent = event.loaded;
      upload.shown.bar.value = event.total > 0 ? event.loaded / event.total * 100 : 100;
      say(upload, `${size(event.loaded)} of ${size(upload.file.size)}`);
      showTotal();
    });
    request.upload.addEventListener("load", () => {
      upload.shown.bar.classList.add("waits");
      say(upload, "all sent; waiting for the copies");
    });
    request.addEventListener("loadend", () => finish(upload, request));
    say(upload, `0 of ${size(upload.file.size)}`);
    request.send(upload.file);
  }

  /** @param {Upload} upload @param {XMLHttpRequest} request */
  function finish(upload, request) {
    upload.shown.bar.classList.remove("waits");
    const answer = parse(request.responseText);
    if (request.status === 200 || request.status === 201) {
      upload.state = "stored";
      upload.sent = upload.file.size;
      upload.shown.bar.value = 100;
      const { least, zones } = answer?.replicas ?? {};
      say(
        upload,
        `stored, ${plural(least, "copy", "copies")} in ${plural(zones, "zone", "zones")}`,
      );
      link(upload);
    } else if (request.status === 412) {
      upload.state = "taken";
      say(upload, "there is a file of this name");
      choice(upload, "Replace it", () => upload.replace = true);
      choice(upload, "Keep both", () => upload.name = numbered(upload.name));
    } else {
      upload.state = "failed";
      const why = typeof answer?.detail === "string" ? answer.detail : "the node did not answer";
      say(upload, `not stored: ${why}`);
      choice(upload, "Try again", () => undefined);
    }
    start();
    document.getElementById("live")?.dispatchEvent(new CustomEvent("pool-changed"));
  }

  /** @param {Upload} upload */
  function link(upload) {
    const open = document.createElement("a");
    open.href = `/ui/file?name=${encodeURIComponent(upload.name.normalize("NFC"))}`;
    open.textContent = upload.name;
    open.title = upload.name;
    upload.shown.title.replaceChildren(open);
    upload.shown.acts.replaceChildren();
  }

  /** @param {Upload} upload @param {string} label @param {() => void} change */
  function choice(upload, label, change) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-bare";
    button.textContent = label;
    button.addEventListener("click", () => {
      change();
      upload.state = "waiting";
      upload.sent = 0;
      upload.shown.acts.replaceChildren();
      start();
    });
    upload.shown.acts.append(button);
  }

  /** @param {string} name */
  function numbered(name) {
    const dot = name.lastIndexOf(".");
    const cut = dot > name.lastIndexOf("/") + 1 ? dot : name.length;
    return `${name.slice(0, cut)} (${new Date().toISOString().slice(11, 19)})${name.slice(cut)}`;
  }

  /** @param {Upload} upload @param {string} words */
  function say(upload, words) {
    upload.shown.says.textContent = words;
  }

  /** One bar for all, once there are several; its words are announced, those of each are not. */
  function showTotal() {
    if (uploads.length < 2) return;
    if (total === undefined) {
      total = row("all uploads");
      total.says.setAttribute("role", "status");
      list?.prepend(total.row);
    }
    const bytes = uploads.reduce((sum, { file }) => sum + file.size, 0);
    const sent = uploads.reduce((sum, upload) => sum + upload.sent, 0);
    const open = uploads.filter(({ state }) => state === "sending" || state === "waiting").length;
    const rate = sent / Math.max(.001, (performance.now() - startedAt) / 1000);
    total.title.textContent = `${uploads.length} files, ${size(sent)} of ${size(bytes)}`;
    total.bar.value = bytes > 0 ? sent / bytes * 100 : 100;
    const left = rate > 0 ? `${Math.ceil((bytes - sent) / rate)} s left` : "";
    const failed = uploads.filter(({ state }) => state === "failed" || state === "taken").length;
    total.says.textContent = open > 0
      ? `${size(rate)}/s · ${left}`
      : failed > 0
      ? `${failed} of ${uploads.length} not stored`
      : "all stored";
  }

  /** @param {number | undefined} count @param {string} one @param {string} many */
  function plural(count, one, many) {
    return `${count ?? "some"} ${count === 1 ? one : many}`;
  }

  /** @param {number} bytes */
  function size(bytes) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let rank = 0;
    let rest = bytes;
    while (rest >= 1000 && rank < units.length - 1) {
      rest /= 1000;
      rank++;
    }
    return `${rank === 0 || rest >= 100 ? Math.round(rest) : rest.toPrecision(3)} ${units[rank]}`;
  }

  /** @param {string} text */
  function parse(text) {
    try {
      return JSON.parse(text);
    } catch {
      return undefined; // an answer of a proxy, not of the node
    }
  }

  addEventListener("beforeunload", (event) => {
    const open = uploads.some(({ state }) => state === "sending" || state === "waiting");
    if (open) event.preventDefault();
  });
})();
