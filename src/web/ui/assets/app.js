// What makes the pages come alive. All of them work without it.
"use strict";

(() => {
  const root = document.documentElement;
  // The path below which a proxy shows this server; empty without one.
  const base = root.dataset.base || "";

  // --- the viewer's time zone: the server writes times in it once it knows it ---
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const rememberZone = () => {
    if (!zone || root.dataset.zoneChosen || root.dataset.zone === zone) return false;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `modelpager_zone=${encodeURIComponent(zone)}; Path=${base}/; Max-Age=31536000; SameSite=Lax${secure}`;
    return true;
  };
  const isWrittenInAnotherZone = rememberZone();

  const ago = (from) => {
    const seconds = Math.round((Date.now() - from) / 1000);
    const size = Math.abs(seconds);
    const [amount, unit] = size < 3600 ? [Math.floor(size / 60), "min"]
      : size < 172800 ? [Math.floor(size / 3600), "h"] : [Math.floor(size / 86400), "d"];
    if (size < 60) return "just now";
    return seconds < 0 ? `in ${amount} ${unit}` : `${amount} ${unit} ago`;
  };
  const tellTime = () => {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const text = ago(Date.parse(time.dateTime));
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(tellTime, 10_000);

  // --- live: the server says that something changed, the page is read again, and what differs is put in ---
  const pulse = document.querySelector(".pulse");
  const say = (state, words) => {
    if (!pulse) return;
    pulse.dataset.state = state;
    pulse.textContent = words;
  };
  const PAUSE = 1_000;
  let source = null, reading = false, wanted = false, timer = 0, lastRead = 0, beat = "";
  // Set while a form is on its way: what it changes may be gone from this address before the answer is here.
  let isLeaving = false, underWay = null;
  let etag = root.dataset.tag ? `"${root.dataset.tag}"` : null;

  const isBeingUsed = (region) => {
    const active = document.activeElement;
    const isTyping = active && region.contains(active) && /^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName)
      && active.type !== "checkbox";
    const selection = getSelection();
    return isTyping || (!selection.isCollapsed && region.contains(selection.anchorNode));
  };
  const keyOf = (element) => element.id || null;
  const copyState = (from, to) => {
    const opened = new Set([...from.querySelectorAll("details[open][id]")].map((d) => d.id));
    for (const details of to.querySelectorAll("details[id]")) if (opened.has(details.id)) details.open = true;
    const ticked = new Set([...from.querySelectorAll("input[type=checkbox]:checked")].map((c) => c.value));
    for (const box of to.querySelectorAll("input[type=checkbox]")) if (ticked.has(box.value)) box.checked = true;
  };
  const putIn = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    copyState(old, fresh);
    const known = new Set([...old.querySelectorAll("tr[id]")].map(keyOf));
    const focus = document.activeElement && old.contains(document.activeElement) ? document.activeElement.id : "";
    const adopted = document.adoptNode(fresh);
    for (const row of adopted.querySelectorAll("tr[id]")) if (!known.has(row.id)) row.classList.add("fresh");
    const place = old.querySelector(".scroll");
    const left = place ? place.scrollLeft : 0;
    old.replaceWith(adopted);
    const placed = adopted.querySelector(".scroll");
    if (placed && left) placed.scrollLeft = left;
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  };
  const read = async (whole) => {
    if (isLeaving) return;
    if (reading) { wanted = true; return; }
    reading = true;
    lastRead = Date.now();
    try {
      const headers = { Accept: "text/html" };
      if (etag) headers["If-None-Match"] = etag;
      // Whoever was told of the same change may be given the same page.
      if (beat) headers["X-Live-Beat"] = beat;
      underWay = new AbortController();
      const answer = await fetch(location.href, {
        headers, credentials: "same-origin", cache: "no-store", signal: underWay.signal,
      });
      if (answer.redirected) return;
      if (answer.status !== 304 && answer.ok) {
        etag = answer.headers.get("ETag");
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const present = [...document.querySelectorAll("[data-live][id]")];
        // Another page than before stands at this address, such as the overview after the welcome.
        const isAnother = present.some((old) => !page.getElementById(old.id));
        for (const old of whole || isAnother ? [document.querySelector("main")] : present) {
          const fresh = page.getElementById(old.id);
          if (fresh && !isBeingUsed(old)) putIn(old, fresh);
        }
        if (page.title) document.title = page.title;
        tellTime();
      }
      if (answer.status === 304 || answer.ok) say("live", "Live");
    } catch {
      if (!isLeaving) say("lost", "Offline");
    } finally {
      reading = false;
      if (wanted) { wanted = false; schedule(); }
    }
  };
  const schedule = () => {
    if (timer || document.hidden) { wanted = wanted || document.hidden; return; }
    // Many views of one server do not all come in the same moment.
    const wait = Math.max(0, lastRead + PAUSE - Date.now()) + Math.random() * 200;
    timer = setTimeout(() => { timer = 0; read(false); }, wait);
  };
  const listen = () => {
    if (source || document.hidden || !document.querySelector("[data-live]") || !window.EventSource) return;
    source = new EventSource(`${base}/live`);
    source.addEventListener("open", () => { say("live", "Live"); });
    source.addEventListener("change", (event) => { beat = event.data; schedule(); });
    source.addEventListener("error", () => {
      say("lost", "Offline");
      if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(listen, 5_000); }
    });
  };
  document.addEventListener("visibilitychange", () => {
    beat = "";
    if (document.hidden) { source?.close(); source = null; return; }
    if (document.querySelector("[data-live]")) { listen(); schedule(); }
  });
  addEventListener("pagehide", () => { source?.close(); source = null; });
  addEventListener("pageshow", listen);
  listen();
  if (isWrittenInAnotherZone) read(true);

  // --- small comforts ---
  // On a phone the bar is wider than the screen.
  const bar = document.querySelector(".bar ul");
  const here = bar?.querySelector("[aria-current]");
  if (here) bar.scrollLeft = here.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const text = button.parentElement.querySelector("pre").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2_000);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form.filters");
    if (form && event.target.matches("select")) form.requestSubmit();
    if (event.target.matches("input[data-all]")) {
      for (const box of document.querySelectorAll(`input[name="${event.target.dataset.all}"]`)) {
        box.checked = event.target.checked;
      }
    }
  });
  document.addEventListener("submit", (event) => {
    // Fields left empty do not belong into a shared address.
    if (event.target.matches("form.filters")) {
      for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
    }
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
    if (event.defaultPrevented) return;
    isLeaving = true;
    underWay?.abort();
  });
  addEventListener("pageshow", () => {
    isLeaving = false;
    for (const field of document.querySelectorAll("form.filters [disabled]")) field.disabled = false;
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector('input[type="search"]');
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
  });
})();
