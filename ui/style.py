"""The few rules of CSS that Streamlit's theme does not cover. Colours follow light and dark."""

STYLE = """<style>
/* Wide pages stay readable: a line of text and a bar need not span a whole desk. */
.stMainBlockContainer { max-width: 72rem; padding-top: 4.25rem; padding-bottom: 4rem; }
.stMainBlockContainer h1 { text-wrap: balance; font-size: 1.75rem; padding: 0.25rem 0 0.5rem; }
.stMainBlockContainer h2 { font-size: 1.4rem; }
.stMainBlockContainer h3 { font-size: 1.2rem; }

[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.8; }
/* In the dark, the theme's blue is too dark for text, and any lighter too light for buttons. */
[data-testid="stButtonGroup"] button[aria-checked="true"], [data-testid="stSliderThumbValue"],
[data-testid="stTab"][aria-selected="true"] { color: inherit !important; }

.tox-live { font-size: 0.875rem; min-height: 1.3em; }
.tox-live .hint { opacity: 0.8; }
.tox-live .hint.outdated { display: block; overflow: hidden; white-space: nowrap;
  text-overflow: ellipsis; }
.tox-live .said { position: absolute; clip-path: inset(50%); width: 1px; height: 1px;
  overflow: hidden; white-space: nowrap; }
/* What is drawn again each second does not fade in between, however busy the server is. */
[class*="st-key-watched"] [data-stale="true"] { opacity: 1; transition: none; }
[data-tox-outdated] .st-key-result { opacity: 0.4; filter: grayscale(1); transition: opacity 0.1s; }
/* Two models' results lie under the comment. */
.st-key-judged:has(.st-key-side-by-side) > * > * > [data-testid="stColumn"] {
  min-width: 100%; }
@media (min-width: 40.01rem) { /* on a phone the examples are one line that scrolls */
  .st-key-example [role="radiogroup"] { flex-wrap: wrap; mask: none; row-gap: 0.4rem; }
}
@media (hover: none) { .tox-live .hint:not(.outdated) { display: none; } } /* no keyboard */
/* The menu of a narrow page is an icon alone. */
[data-testid="stExpandSidebarButton"]::after { content: "Menu"; margin-inline-start: 0.35rem; }

.tox-sentence { font-size: 1.3rem; font-weight: 600; line-height: 1.35; text-wrap: pretty; }
.tox-sentence .note { font-size: 0.9375rem; font-weight: 400; opacity: 0.8; }
.tox-bars { display: grid; gap: 0.6rem; }
.tox-bars .line { display: flex; justify-content: space-between; gap: 1rem; }
.tox-bars .line > :first-child { overflow-wrap: anywhere; }
.tox-bars .line > :first-child::first-letter { text-transform: uppercase; }
.tox-bars .line > :last-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
.tox-bars > :not(.plain) .line { font-weight: 600; }
.tox-bars .track { position: relative; height: 0.6rem; margin: 0.25rem 0; border-radius: 0.3rem;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.tox-bars .fill { height: 100%; min-width: 3px; border-radius: inherit;
  background: light-dark(#64748b, #8b9bb0); }
.tox-bars .chosen .fill { background: light-dark(#0b5cad, #6aa7e8); }
.tox-bars .flagged .fill { background: light-dark(#d97706, #f0983e); }
.tox-bars .high .fill { background: light-dark(#c81e1e, #f05252); }
.tox-bars .mark { position: absolute; top: -0.2rem; bottom: -0.2rem; width: 2px; margin-left: -1px;
  background: currentColor; }
[class*="st-key-handles"] { position: absolute; height: 0; overflow: hidden; } /* nothing to see */
.st-key-live [data-testid="stSkeleton"] { display: none; }
/* A bar's tick is the thumb of a slider that lies over it. */
.tox-bars .track input { position: absolute; inset: -0.5rem -0.5rem; width: calc(100% + 1rem);
  height: calc(100% + 1rem); margin: 0; opacity: 0; cursor: ew-resize; }
.tox-bars .track:hover .mark, .tox-bars .track:focus-within .mark { width: 6px; margin-left: -3px;
  border-radius: 3px; }
.tox-bars .track:focus-within { outline: 2px solid light-dark(#0b5cad, #6aa7e8);
  outline-offset: 4px; }
.tox-bars .verdict { font-size: 0.875rem; opacity: 0.8; line-height: 1.35; }
.tox-folded summary { cursor: pointer; font-size: 0.9375rem; padding: 0.15rem 0;
  width: fit-content; }
.tox-folded summary::first-letter { text-transform: uppercase; }
.tox-folded .tox-bars { margin-top: 0.6rem; }

.tox-marked { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate;
  line-height: 1.7; max-height: 9rem; overflow-y: auto; }
.tox-marked mark { color: inherit; border-radius: 0.2rem; padding: 0.1rem 0.15rem;
  border-bottom: 2px solid light-dark(#c2410c, #f0883e);
  background: color-mix(in srgb, light-dark(#f59e0b, #ea580c) var(--strength), transparent); }
.tox-marked.harmless mark { border-bottom-color: light-dark(#0b5cad, #6aa7e8);
  background: color-mix(in srgb, light-dark(#60a5fa, #2563eb) var(--strength), transparent); }
.tox-decided { margin-top: 0.25rem; font-size: 0.9375rem; }

.tox-facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 0.9rem;
  font-size: 0.9375rem; }
.tox-facts dt { opacity: 0.8; }
.tox-facts dd { overflow-wrap: anywhere; }
.stMainBlockContainer .tox-facts, .stMainBlockContainer .tox-facts > * { margin: 0; padding: 0; }
.stMainBlockContainer .tox-name { font-size: 1.15rem; font-weight: 600; padding: 0 0 0.5rem;
  margin: 0; overflow-wrap: anywhere; }

.tox-log { margin: 0; font-size: 0.8125rem; line-height: 1.5; white-space: pre-wrap;
  overflow-wrap: anywhere; }

.tox-footer { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; font-size: 0.875rem;
  margin-top: 1rem; }
.tox-footer a { color: inherit; text-decoration: underline; text-underline-offset: 2px; }

.tox-scroll { overflow-x: auto; }
.tox-table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
.tox-table th, .tox-table td { text-align: start; vertical-align: top; font-weight: 400;
  padding: 0.45rem 0.75rem 0.45rem 0; overflow-wrap: break-word; unicode-bidi: isolate;
  border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.tox-table thead th { font-weight: 600; font-size: 0.875rem; }
.tox-table th:first-child { overflow-wrap: anywhere; min-width: 7rem; }
.tox-table .number { text-align: end; white-space: nowrap; font-variant-numeric: tabular-nums;
  padding-right: 0; padding-left: 0.75rem; }

.tox-rows table { border-collapse: collapse; font-size: 0.875rem; }
.tox-rows th, .tox-rows td { text-align: start; vertical-align: top; max-width: 9rem;
  padding: 0.3rem 0.6rem; overflow: hidden; white-space: nowrap; text-overflow: ellipsis;
  unicode-bidi: isolate; border: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.tox-rows th { font-weight: 400; opacity: 0.8; }
.tox-rows .lit { opacity: 1; min-width: 15rem; max-width: 30rem; white-space: normal;
  background: color-mix(in srgb, light-dark(#0b5cad, #6aa7e8) 14%, transparent); }
.tox-rows th.lit { font-weight: 600; }

.tox-buttons { display: flex; flex-wrap: wrap; gap: 0.75rem; }
a.tox-button { display: inline-block; padding: 0.45rem 0.9rem; border-radius: 0.375rem;
  color: inherit; text-decoration: none;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); }
a.tox-button:hover, a.tox-button:focus-visible { border-color: currentColor; }
a.tox-button small { opacity: 0.8; margin-left: 0.35rem; }
.tox-table thead .number { white-space: normal; min-width: 4rem; }
@media (max-width: 30rem) { /* a phone: five columns fit in 360 pixels */
  .tox-table { font-size: 0.875rem; }
  .tox-table thead th { font-size: 0.8125rem; }
  .tox-table th, .tox-table td { padding-right: 0.4rem; }
  .tox-table th:first-child { min-width: 6rem; }
  .tox-table .number { padding-left: 0.4rem; }
  .tox-table thead .number { min-width: 0; }
  .tox-rows th, .tox-rows td { max-width: 4.5rem; padding: 0.3rem; }
  .tox-rows .lit { min-width: 11rem; }
}
</style>"""

WIDE = """<style>
/* The review desk: a table beside a comment; on a narrow page the comment comes first. */
.stMainBlockContainer { max-width: 90rem; }
.stMainBlockContainer h1 { font-size: 1.6rem; padding: 0; }
.tox-figures { font-size: 1.05rem; }
.st-key-thresholds [data-testid="stSliderTickBar"] { display: none; }
.st-key-thresholds [data-testid="stSlider"] { margin-bottom: -1.5rem; }
.st-key-desk { align-items: flex-start; }
.st-key-desk > :has(> .st-key-desk-rows) { flex: 3 1 30rem; min-width: 0; }
.st-key-desk > :has(> .st-key-desk-row) { flex: 2 1 24rem; min-width: 0; }
@media (max-width: 40rem) { /* on a phone, the row is to be reached without much scrolling */
  .st-key-head { gap: 0.25rem 1rem; }
  .st-key-head [data-testid="stHeading"] { flex-basis: 100%; }
  .st-key-filters [data-testid="stColumn"] { min-width: calc(50% - 0.5rem); flex-basis: 0; }
}
@media (max-width: 60rem) {
  .st-key-desk > * { flex-basis: 100% !important; }
  .st-key-desk > :has(> .st-key-desk-row) { order: -1; }
}
</style>"""
