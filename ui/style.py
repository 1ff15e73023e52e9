"""The few rules of CSS that Streamlit's theme does not cover. Colours follow light and dark."""

STYLE = """<style>
/* Wide pages stay readable: a line of text and a bar need not span a whole desk. */
.stMainBlockContainer { max-width: 62rem; padding-bottom: 4rem; }
.stMainBlockContainer h1 { text-wrap: balance; }

[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.8; }
/* In the dark, the theme's blue is too dark for text, and any lighter too light for buttons. */
[data-testid="stButtonGroup"] button[aria-checked="true"], [data-testid="stSliderThumbValue"],
[data-testid="stTab"][aria-selected="true"] { color: inherit !important; }

.tox-sentence { font-size: 1.3rem; font-weight: 600; line-height: 1.35; text-wrap: pretty; }
.tox-bars { display: grid; gap: 1rem; margin-top: 1rem; }
.tox-bars .line { display: flex; justify-content: space-between; gap: 1rem; }
.tox-bars .line > :first-child { overflow-wrap: anywhere; }
.tox-bars .line > :first-child::first-letter { text-transform: uppercase; }
.tox-bars .line > :last-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
.tox-bars .flagged .line { font-weight: 600; }
.tox-bars .track { position: relative; height: 0.6rem; margin: 0.3rem 0; border-radius: 0.3rem;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.tox-bars .fill { height: 100%; min-width: 3px; border-radius: inherit;
  background: light-dark(#64748b, #8b9bb0); }
.tox-bars .flagged .fill { background: light-dark(#c2410c, #f0883e); }
.tox-bars .mark { position: absolute; top: -0.2rem; bottom: -0.2rem; width: 2px; margin-left: -1px;
  background: currentColor; }
.tox-bars .verdict { font-size: 0.875rem; opacity: 0.8; }

.tox-marked { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate;
  line-height: 1.9; max-height: 24rem; overflow-y: auto; }
.tox-marked mark { color: inherit; border-radius: 0.2rem; padding: 0.1rem 0.15rem; }
.tox-marked mark.up { border-bottom: 2px solid light-dark(#c2410c, #f0883e);
  background: color-mix(in srgb, light-dark(#f59e0b, #ea580c) var(--strength), transparent); }
.tox-marked mark.down { border-bottom: 2px dotted light-dark(#0b5cad, #6aa7e8);
  background: color-mix(in srgb, light-dark(#60a5fa, #2563eb) var(--strength), transparent); }

.tox-scroll { overflow-x: auto; }
.tox-table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
.tox-table th, .tox-table td { text-align: start; vertical-align: top; font-weight: 400;
  padding: 0.45rem 0.75rem 0.45rem 0; overflow-wrap: break-word; unicode-bidi: isolate;
  border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.tox-table thead th { font-weight: 600; font-size: 0.875rem; }
.tox-table th:first-child { overflow-wrap: anywhere; min-width: 7rem; }
.tox-table .number { text-align: end; white-space: nowrap; font-variant-numeric: tabular-nums;
  padding-right: 0; padding-left: 0.75rem; }

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
}
</style>"""
