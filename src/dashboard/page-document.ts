/**
 * The page's HTML: headings and empty places, which `page/page.ts` fills. Without script it says
 * so.
 */

export const PAGE_DOCUMENT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Vertebra</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="style.css">
<script type="module" src="page/page.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the members</a>
<header>
  <div class="brand"><img src="icon.svg" alt="" width="20" height="20"><span>Vertebra</span></div>
  <nav aria-label="Sections">
    <a href="#members-section">Members</a><a href="#ring-section">Ring</a><a href="#load">Load</a>
    <a href="#requests">Requests</a><a href="#refused">Refusals</a>
  </nav>
  <p id="gathered" class="gathered"></p>
</header>
<p id="connection" class="connection" role="status">connecting …</p>
<noscript><p class="connection">This page is drawn by a script of its own: allow it.</p></noscript>
<section class="overview" aria-label="Overview">
  <div id="verdict" aria-live="polite"></div>
  <dl id="tiles" class="tiles"></dl>
</section>
<main id="main">
  <section class="card"><h2>Alerts</h2><div id="alerts"></div></section>
  <section class="card" id="members-section"><h2>Members</h2><div id="members" class="scroll"></div></section>
  <div class="columns">
    <section class="card" id="ring-section"><h2>Ring</h2>
      <p id="ring-colors" hidden><label>Coloured by
        <select id="color-by"><option value="node">node</option>
          <option value="location">location</option></select></label></p>
      <div class="ring-area"><div id="ring"></div><div id="ring-legend"></div></div>
    </section>
    <section class="card"><h2>On the way</h2>
      <h3>Transfers</h3><div id="transfers"></div>
      <h3>Owed copies</h3><div id="hints"></div>
      <h3>Anti-entropy</h3><div id="anti-entropy" class="scroll"></div>
    </section>
  </div>
  <section class="card" id="load"><h2 id="load-title">Last 15 minutes</h2>
    <div id="plots" class="plots" tabindex="0" role="group" aria-labelledby="load-title"
      aria-description="Left and right arrow keys show the values of a moment"></div></section>
  <div class="columns" id="requests">
    <section class="card"><h2>Hot keys</h2>
      <p><button type="button" id="reveal" hidden>Ask for the keys (the nodes record it)</button></p>
      <div id="revealed" role="status"></div><div id="hot-keys" class="scroll"></div></section>
    <section class="card"><h2>Notable requests</h2><div id="slow-log" class="scroll"></div></section>
  </div>
  <section class="card" id="refused"><h2>Refused and failed</h2><div id="refusals" class="scroll"></div></section>
  <section class="card" id="keys" hidden><h2>Where is a key?</h2>
    <form id="trace" autocomplete="off">
      <label>Type <input id="trace-type" value="default" required maxlength="512"></label>
      <label>Bucket <input id="trace-bucket" required maxlength="512"></label>
      <label>Key <input id="trace-key" required maxlength="1024"></label>
      <button type="submit" id="locate">Locate</button>
    </form>
    <div id="located" role="status" class="scroll"></div></section>
</main>
<footer>Read-only. Keys are fingerprints unless the dashboard was started with --show-keys. Nodes without an admin
  socket within reach tell what their /metrics say.</footer>
</body>
</html>
`;

/** Five vertebrae. */
export const PAGE_ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="#0a9185">
<rect x="10" y="1.5" width="12" height="4.6" rx="2.3"/><rect x="7" y="7.7" width="18" height="4.6" rx="2.3"/>
<rect x="5" y="13.9" width="22" height="4.6" rx="2.3"/><rect x="7" y="20.1" width="18" height="4.6" rx="2.3"/>
<rect x="10" y="26.3" width="12" height="4.6" rx="2.3"/></g></svg>
`;
