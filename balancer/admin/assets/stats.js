"use strict";
// Renews the figures from the CSV; a change of the rows themselves loads the page again.
(() => {
  const body = document.body, told = document.getElementById("live");
  for (const box of document.querySelectorAll("input[data-all]"))
    box.addEventListener("change", () => {
      for (const each of box.form.elements) if (each.name == "s") each.checked = box.checked;
    });
  const shown = {};
  for (const row of document.querySelectorAll(".tbl tr")) {
    const anchor = row.querySelector("td a[name]");
    if (anchor) shown[anchor.name] = row;
  }
  const bars = () => {
    const of = {};
    for (const [name, row] of Object.entries(shown))
      if (!/\/(Frontend|Backend)$/.test(name)) {
        const cell = row.querySelector("td[data-c=scur]"), proxy = name.slice(0, name.lastIndexOf("/"));
        const digits = each => parseInt((each || {textContent: ""}).textContent.match(/\d*/)[0] || "0");
        (of[proxy] = of[proxy] || []).push([cell, digits(cell), digits(row.querySelector("td[data-c=slim]"))]);
      }
    for (const cells of Object.values(of)) {
      const most = Math.max(4, ...cells.map(each => each[1]));
      for (const [cell, now, limit] of cells) cell.style.setProperty("--part", Math.min(1, now / (limit || most)));
    }
  };
  bars();
  const seconds = Number(body.dataset.live);
  if (!seconds) { told.textContent = "still"; return; }
  const rest = (location.pathname + location.search).slice(body.dataset.uri.length).replace(/;st=[A-Z]*/, "");
  const escaped = text => text.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`);
  const digits = text => /^\d+$/.test(text) ? text.replace(/(\d)(?=(\d{3})+$)/g, '<span class="rls">$1</span>') : escaped(text);
  const span = text => {
    const s = Number(text);
    if (text === "" || s < 0) return "?";
    const parts = [[s / 86400, "d", s / 3600 % 24, "h"], [s / 3600, "h", s / 60 % 60, "m"], [s / 60, "m", s % 60, "s"]];
    for (const [large, a, small, b] of parts) if (large >= 1) return `${large | 0}${a}${small | 0}${b}`;
    return `${s}s`;
  };
  const parse = text => {
    const rows = [[""]];
    let quoted = false;
    for (let at = 0; at < text.length; at++) {
      const sign = text[at], row = rows[rows.length - 1];
      if (quoted) {
        if (sign != '"') row[row.length - 1] += sign;
        else if (text[at + 1] == '"') { row[row.length - 1] += sign; at++; }
        else quoted = false;
      } else if (sign == '"') quoted = true;
      else if (sign == ",") row.push("");
      else if (sign == "\n") rows.push([""]);
      else row[row.length - 1] += sign;
    }
    return rows;
  };
  const state = (status, backup) => {
    const [word, more] = status.split(" ");
    if (word == "MAINT") return "maintain";
    const moves = /^\d/.test(more || "");
    const names = {UP: moves ? "going_down" : "up", DOWN: moves ? "going_up" : "down", NOLB: moves ? "going_down" : "nolb",
      DRAIN: "draining", no: "no_check"};
    return (backup ? "backup_" : "active_") + (names[word] || "up");
  };
  const text = (name, of) => {
    switch (name) {
      case "status": return of.status == "no check" ? `<i>${of.status}</i>` :
        of.svname == "FRONTEND" ? `<b>${escaped(of.status)}</b>` : `${span(of.lastchg)} <b>${escaped(of.status)}</b>`;
      case "check_status": return escaped(of.check_status) + (of.check_code && `/${escaped(of.check_code)}`) +
        (of.check_duration && ` in ${escaped(of.check_duration)}ms`);
      case "weight": return `${escaped(of.weight)}/${escaped(of.uweight)}`;
      case "lastsess": case "downtime": return span(of[name]);
      case "throttle": return of.throttle ? `${escaped(of.throttle)} %` : "-";
      case "qlimit": case "slim": case "rate_lim": return Number(of[name]) ? digits(of[name]) : "-";
      case "qtime": case "ctime": case "rtime": case "ttime": return `${digits(of[`${name}_max`])} / ${digits(of[name])}`;
      default: return of[name] === undefined ? null : digits(of[name]) || (of[name] === "" ? "" : null);
    }
  };
  const put = (cell, html) => {
    const place = cell.querySelector(":scope > u") || cell, link = place.querySelector(":scope > a");
    if (link) return;
    while (place.firstChild && !(place.firstChild.classList && place.firstChild.classList.contains("tips")))
      place.firstChild.remove();
    place.insertAdjacentHTML("afterbegin", html);
  };
  const renew = csv => {
    const rows = parse(csv), names = rows[0].map(name => name.replace(/^# /, ""));
    let count = 0;
    for (const values of rows.slice(1)) {
      if (values.length < names.length) continue;
      const of = Object.fromEntries(names.map((name, at) => [name, values[at]]));
      const ends = {FRONTEND: "Frontend", BACKEND: "Backend"}, row = shown[`${of.pxname}/${ends[of.svname] || of.svname}`];
      if (!row) return false;
      count++;
      if (!ends[of.svname]) row.className = state(of.status, of.bck == "1");
      for (const cell of row.querySelectorAll("[data-c]")) {
        const html = cell.dataset.c == "svname" ? null : text(cell.dataset.c, of);
        if (html !== null) put(cell, html + (cell.closest(".det") && /rate/.test(cell.dataset.c) ? "/s" : ""));
      }
    }
    return count == Object.keys(shown).length;
  };
  const tell = (word, fine) => { told.textContent = word; told.className = fine ? "fine" : "bad"; };
  const turn = async () => {
    if (!document.hidden)
      try {
        const answer = await fetch(`${body.dataset.uri};csv;norefresh${rest}`, {cache: "no-store"});
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        if (!renew(await answer.text())) { location.reload(); return; }
        bars();
        tell(`live, ${new Date().toLocaleTimeString()}`, true);
      } catch (error) { tell(`no answer: ${error.message}`, false); }
    setTimeout(turn, 1000 * seconds);
  };
  tell("live", true);
  setTimeout(turn, 1000 * Math.min(seconds, 2));
})();
