// What moves on a page: a slider, neurons, and cursors; and what a click does to a table.
//
// Python tells everything (see frames.py and moving_panels.py): a flow has its frames, and panels
// with named sources that are filled here. Nothing is loaded and nothing is computed but
// projections of cosines.
"use strict";

const EAST = [-1, 1, 0].map((x) => x / Math.SQRT2);
const NORTH = [-1, -1, 2].map((x) => x / Math.sqrt(6));
const FRAMES_PER_SECOND = 12;

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const range = (n) => Array.from({ length: n }, (_, i) => i);

/** A place to look from: the plane of two centers, or the sphere of three seen from between them. */
class View {
  constructor(centers) {
    this.centers = centers;
    this.isSphere = centers.length === 3;
  }

  /** Where a direction with these cosines to the centers is seen; null on the far side. */
  see(u) {
    if (!this.isSphere) return u;
    const size = Math.hypot(...u);
    if (u[0] + u[1] + u[2] <= 0) return null;
    return [dot(u, EAST) / size, dot(u, NORTH) / size];
  }
}

/** The flow of one point: its frames, its panels, and the controls that move them. */
class Flow {
  constructor(element) {
    this.element = element;
    this.values = JSON.parse(document.getElementById(element.dataset.values).textContent);
    this.slider = element.querySelector("input");
    this.slider.max = this.values.times.length - 1;
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
    this.button = element.querySelector(".play");
    this.button.addEventListener("click", () => (this.timer ? this.pause() : this.play()));
    if (this.values.cosines) this.prepareNeurons();
    this.writePhases();
  }

  /** Draw the panels; only once their element is visible, so that they know their width. */
  async draw() {
    this.sources = {};
    this.cursors = [];
    this.views = [];
    for (const place of this.element.querySelectorAll(".plot")) {
      const item = this.values.panels[place.dataset.panel];
      const views = await Bokeh.embed.embed_item(item, place);
      const figure = views.roots[0].model;
      for (const renderer of figure.renderers) {
        if (renderer.data_source?.name) this.sources[renderer.data_source.name] = renderer.data_source;
      }
      this.views.push([place, views.roots[0]]);
      this.cursors.push(...figure.center.filter((mark) => mark.name === "cursor"));
      if (place.dataset.panel === "place") this.place = figure;
    }
    if (this.values.cosines) this.look();
    this.show(0);
    this.element.dataset.drawn = "yes";
  }

  /** Everything as it is at a frame. */
  show(frame) {
    this.frame = frame;
    this.slider.value = frame;
    const t = this.values.times[frame];
    for (const cursor of this.cursors) cursor.location = t;
    if (this.view) this.moveNeurons();
    if (this.sources.image) this.fillMap();
    this.writeReadout();
  }

  play() {
    if (this.frame >= Number(this.slider.max)) this.show(0);
    this.button.textContent = "❚❚";
    this.button.setAttribute("aria-label", "pause");
    this.timer = setInterval(() => {
      if (this.frame >= Number(this.slider.max)) this.pause();
      else this.show(this.frame + 1);
    }, 1000 / FRAMES_PER_SECOND);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "▶";
    this.button.setAttribute("aria-label", "play");
  }

  /** Put a picture of each panel beside it, which paper shows at the width that it has. */
  picture() {
    for (const [place, view] of this.views) {
      const { canvas } = view.export("png");
      if (place.nextElementSibling) place.nextElementSibling.replaceWith(canvas);
      else place.after(canvas);
    }
  }

  // Readout and phases.

  writeReadout() {
    const readout = this.element.querySelector(".readout");
    const entries = Object.entries(this.values.readout).map(([name, texts]) => [name, texts[this.frame]]);
    readout.replaceChildren(
      ...entries.map(([name, text]) => {
        const entry = document.createElement("div");
        entry.append(document.createElement("dt"), document.createElement("dd"));
        entry.firstChild.textContent = name;
        entry.lastChild.textContent = text;
        return entry;
      }),
    );
    this.slider.setAttribute("aria-valuetext", entries.map((entry) => entry.join(" ")).join(", "));
  }

  writePhases() {
    const phases = this.values.readout.phase ?? [];
    const starts = phases.flatMap((name, i) => (name === phases[i - 1] ? [] : [i]));
    this.element.querySelector(".phases").replaceChildren(
      ...starts.map((start, i) => {
        const span = document.createElement("span");
        span.textContent = phases[start];
        span.style.flexGrow = (starts[i + 1] ?? phases.length) - start;
        span.style.flexBasis = 0;
        return span;
      }),
    );
  }

  // Neurons.

  prepareNeurons() {
    const bytes = Uint8Array.from(atob(this.values.cosines), (c) => c.charCodeAt(0));
    this.cosines = new Int16Array(bytes.buffer);
    this.selects = [...this.element.querySelectorAll("select")];
    const centers = this.values.gram.length - this.averages().length;
    this.selects.forEach((select, i) => {
      if (i === 2) select.add(new Option("none", ""));
      for (const k of range(centers)) select.add(new Option(this.values.references[k], k));
      select.value = this.values.view[i] ?? "";
      select.addEventListener("change", () => {
        this.look();
        this.show(this.frame);
      });
    });
  }

  averages() {
    const names = this.values.references;
    return range(names.length).filter((r) => names[r].startsWith("μ̄"));
  }

  cosine(frame, neuron, reference) {
    const { neurons, references, unit, unknown } = this.values;
    const sent = this.cosines[(frame * neurons.length + neuron) * references.length + reference];
    return sent === unknown ? NaN : sent / unit;
  }

  /** Look at the plane or the sphere that is selected. */
  look() {
    const chosen = this.selects.map((select) => select.value).filter((value) => value !== "");
    const centers = [...new Set(chosen.map(Number))];
    if (centers.length < 2) return;
    const { classes, signs, neurons } = this.values;
    this.view = new View(centers);
    const wanted = new Set(centers.map((k) => classes[k]));
    this.visible = range(neurons.length).filter((j) => !classes.length || wanted.has(signs[j]));
    const reach = this.view.isSphere ? [-1, 1] : [this.lowest(centers) - 0.05, 1.2];
    for (const axis of [this.place.x_range, this.place.y_range]) [axis.start, axis.end] = reach;
    for (const axis of [...this.place.below, ...this.place.left]) axis.visible = !this.view.isSphere;
    for (const grid of this.place.center) grid.visible = !this.view.isSphere;
    const names = centers.map((k) => `⟨u, ${this.values.references[k]}⟩`);
    [this.place.below[0].axis_label, this.place.left[0].axis_label] = names;
    this.drawLines();
    this.drawMarks();
  }

  /** The lowest cosine of a visible neuron to one of the centers at any time, at most -0.2. */
  lowest(centers) {
    const cosines = range(this.values.times.length).flatMap((frame) =>
      this.visible.flatMap((j) => centers.map((k) => this.cosine(frame, j, k))),
    );
    return cosines.reduce((least, cosine) => (cosine < least ? cosine : least), -0.2);
  }

  /** The centers, and the class averages that are near. */
  drawMarks() {
    const { gram, references, referenceColors, classes } = this.values;
    const centers = this.view.centers;
    const near = this.averages().filter((r, i) => {
      const own = !classes.length || centers.some((k) => classes[k] === (i === 0 ? 1 : -1));
      return own && Math.hypot(...centers.map((k) => gram[r][k])) > 0.2;
    });
    const shown = [...centers, ...near];
    const places = shown.map((r) => this.view.see(centers.map((k) => gram[r][k])));
    this.sources.marks.data = {
      x: places.map((place) => place[0]),
      y: places.map((place) => place[1]),
      name: shown.map((r) => references[r]),
      color: shown.map((r) => referenceColors[r]),
    };
  }

  /** What neurons move on: the unit circle, or flow lines and resting points on the sphere. */
  drawLines() {
    const { sphere, classes } = this.values;
    const centers = this.view.centers;
    const [lines, rests] = [[], []];
    if (!this.view.isSphere) {
      const angles = range(91).map((degree) => (degree * Math.PI) / 180);
      lines.push({ path: angles.map((a) => [Math.cos(a), Math.sin(a)]), color: "#999999" });
    } else if (sphere && centers.every((k) => classes[k] === classes[centers[0]])) {
      for (const path of sphere.paths) lines.push({ path, color: "#d4d4d4" });
      for (const path of sphere.sides) lines.push({ path, color: "#999999" });
      rests.push(...sphere.rests);
    }
    this.sources.lines.data = {
      xs: lines.map(({ path }) => path.map((point) => point[0])),
      ys: lines.map(({ path }) => path.map((point) => point[1])),
      color: lines.map(({ color }) => color),
    };
    this.sources.rests.data = {
      x: rests.map((point) => point[0]),
      y: rests.map((point) => point[1]),
      fill: rests.map((_, i) => (sphere.attract[i] ? "#595959" : "white")),
    };
  }

  moveNeurons() {
    const { neurons, shares, colors } = this.values;
    const centers = this.view.centers;
    const largest = Math.max(...shares);
    const places = { x: [], y: [], size: [], name: [], share: [], color: [], alpha: [] };
    const trails = { xs: [], ys: [], color: [], alpha: [] };
    for (const j of this.visible) {
      const path = range(this.frame + 1)
        .map((frame) => this.view.see(centers.map((k) => this.cosine(frame, j, k))))
        .map((place) => place ?? [NaN, NaN]);
      const [x, y] = path[this.frame];
      const strength = Math.sqrt(shares[j] / largest);
      trails.xs.push(path.map((place) => place[0]));
      trails.ys.push(path.map((place) => place[1]));
      trails.color.push(colors[j]);
      trails.alpha.push(0.25 + 0.4 * strength);
      places.x.push(x);
      places.y.push(y);
      places.size.push(5 + 9 * strength);
      places.name.push(neurons[j]);
      places.share.push(shares[j]);
      places.color.push(colors[j]);
      places.alpha.push(0.85);
    }
    this.sources.neurons.data = places;
    this.sources.trails.data = trails;
  }

  /** The map from the bottom: the last center first, class averages at the top. */
  fillMap() {
    const { neurons, references } = this.values;
    const averages = this.averages();
    const rows = [...averages, ...range(references.length - averages.length)].reverse();
    const image = this.sources.image.data.image[0];
    rows.forEach((reference, row) => {
      range(neurons.length).forEach((j) => {
        image[row * neurons.length + j] = this.cosine(this.frame, j, reference);
      });
    });
    this.sources.image.change.emit();
  }
}

/** Show one point of a study and hide the others; its panels are drawn when it is shown first. */
const flows = new Map();

async function showPoint(id) {
  for (const section of document.querySelectorAll(".point")) {
    section.hidden = section.id !== id;
    flows.get(section.id)?.pause();
  }
  for (const link of document.querySelectorAll(".sortable a")) {
    link.closest("tr").classList.toggle("shown", link.hash === `#${id}`);
  }
  if (flows.has(id)) return;
  const flow = new Flow(document.querySelector(`#${id} .flow`));
  flows.set(id, flow);
  await flow.draw();
}

function pointOfAddress() {
  const named = document.getElementById(location.hash.slice(1));
  return named?.matches(".point") ? named : null;
}

window.addEventListener("hashchange", () => {
  const point = pointOfAddress();
  if (!point) return;
  showPoint(point.id);
  point.scrollIntoView();
  point.focus({ preventScroll: true });
});

/** Sort a table by a column; a cell that begins with a number counts as that number. */
function sortBy(head) {
  const body = head.closest("table").tBodies[0];
  const column = head.cellIndex;
  const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", order);
  const text = (row) => row.cells[column].textContent.trim().replace(/^\[/, "");
  const compare = (one, other) => {
    const [a, b] = [text(one), text(other)];
    const [x, y] = [parseFloat(a), parseFloat(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  const rows = [...body.rows].sort(compare);
  body.append(...(order === "ascending" ? rows : rows.reverse()));
}

for (const head of document.querySelectorAll(".sortable thead th")) {
  head.firstElementChild.addEventListener("click", () => sortBy(head));
}

/** On paper every verdict is open, except those that do not apply, and panels are pictures. */
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open]):not(.outside)")];
  for (const details of opened) details.open = true;
  for (const flow of flows.values()) flow.picture();
});
window.addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});

const first = pointOfAddress() ?? document.querySelector(".point");
if (first) showPoint(first.id);
