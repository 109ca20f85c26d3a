import { make, makeSvg, setText } from './dom.js';
import { SPAN } from './samples.js';

/** @import { Sample } from './samples.js' */

const WIDTH = 240;
const HEIGHT = 48;

/**
 * @typedef {object} ChartSetup
 * @property {'received' | 'sent' | 'connections' | 'loopDelay'} of
 * @property {string} title
 * @property {string} unit
 * @property {(value: number) => string} format
 * @property {number} floor the least that the height of the chart stands for
 * @property {number} [high] from which on a value is a warning
 */

/** A tile with a number and its last two minutes. Under the pointer it tells an earlier value. */
export class Chart {
  #setup;
  #value = make('strong');
  #note = make('span', { class: 'chart-note' });
  #line = makeSvg('path', { class: 'chart-line' });
  #area = makeSvg('path', { class: 'chart-area' });
  #mark = makeSvg('line', { class: 'chart-mark', y1: '0', y2: String(HEIGHT) });
  #svg = makeSvg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' },
    this.#area,
    this.#line,
    this.#mark,
  );
  /** @type {readonly Sample[]} */
  #samples = [];
  /** Where the pointer is, from 0 to 1. @type {number | undefined} */
  #pointed;

  /** @param {ChartSetup} setup */
  constructor(setup) {
    this.#setup = setup;
    this.element = make(
      'article',
      { class: 'tile', 'data-chart': setup.of },
      make('h2', {}, setup.title),
      make('p', { class: 'chart-value' }, this.#value, make('span', { class: 'unit' }, setup.unit)),
      this.#note,
      this.#svg,
    );
    setText(this.#value, '–');
    this.#svg.addEventListener('pointermove', (event) => {
      const { left, width } = this.#svg.getBoundingClientRect();
      this.#pointed = (event.clientX - left) / width;
      this.#write();
    });
    this.#svg.addEventListener('pointerleave', () => {
      this.#pointed = undefined;
      this.#write();
    });
  }

  /** @param {readonly Sample[]} samples */
  show(samples) {
    this.#samples = samples;
    this.#draw();
    this.#write();
  }

  /** @param {Sample} sample */
  #x(sample) {
    const now = this.#samples.at(-1)?.at ?? 0;
    return WIDTH * (1 + (sample.at - now) / SPAN);
  }

  #highest() {
    return this.#samples.reduce((most, sample) => Math.max(most, sample[this.#setup.of] ?? 0), 0);
  }

  #draw() {
    const top = Math.max(this.#setup.floor, this.#highest() * 1.1);
    let line = '';
    let area = '';
    let from;
    let to = 0;
    for (const sample of this.#samples) {
      const value = sample[this.#setup.of];
      if (value === undefined) {
        if (from !== undefined) area += `L${to} ${HEIGHT}Z`;
        from = undefined;
        continue;
      }
      const x = round(this.#x(sample));
      const y = round(HEIGHT - 1 - (value / top) * (HEIGHT - 3));
      line += `${from === undefined ? 'M' : 'L'}${x} ${y}`;
      area += from === undefined ? `M${x} ${HEIGHT}L${x} ${y}` : `L${x} ${y}`;
      from ??= x;
      to = x;
    }
    if (from !== undefined) area += `L${to} ${HEIGHT}Z`;
    this.#line.setAttribute('d', line);
    this.#area.setAttribute('d', area);
  }

  #write() {
    const { of, format, unit, title, high = Infinity } = this.#setup;
    const latest = this.#samples.at(-1);
    const pointed = this.#pointed === undefined ? undefined : this.#near(this.#pointed);
    const value = (pointed ?? latest)?.[of];
    setText(this.#value, value === undefined ? '–' : format(value));
    this.element.dataset.tone = (latest?.[of] ?? 0) >= high ? 'warn' : '';
    const most = format(this.#highest());
    if (pointed && latest) {
      setText(this.#note, `${Math.round((latest.at - pointed.at) / 1_000)} s ago`);
      const x = String(round(this.#x(pointed)));
      this.#mark.setAttribute('x1', x);
      this.#mark.setAttribute('x2', x);
    } else {
      setText(this.#note, latest ? `most ${most}` : '');
    }
    this.#mark.classList.toggle('is-shown', pointed !== undefined);
    const now = value === undefined ? 'not known yet' : `${format(value)} ${unit}`;
    this.#svg.setAttribute('aria-label', `${title}: now ${now}, in two minutes at most ${most}`);
  }

  /** The sample with a value that is nearest. @param {number} place from 0 to 1 */
  #near(place) {
    const x = place * WIDTH;
    const all = this.#samples.filter((sample) => sample[this.#setup.of] !== undefined);
    return all.toSorted((a, b) => Math.abs(this.#x(a) - x) - Math.abs(this.#x(b) - x))[0];
  }
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
