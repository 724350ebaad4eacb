// Times in the zone of the person who reads them; the server only knows UTC.

/** Rewrites every <time> below `root`. */
export function localise(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const exact = format.format(new Date(time.dateTime));
    time.title = exact;
    if (time.textContent.endsWith("UTC")) time.textContent = exact;
  }
}

localise(document);
