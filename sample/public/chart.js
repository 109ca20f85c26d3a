const SECONDS = 60;
const HEIGHT = 100;
const SVG = 'http://www.w3.org/2000/svg';

/** Events per second over the last minute, one colour a stream. */
export function createChart(svg, streams) {
  svg.setAttribute('viewBox', `0 0 ${SECONDS} ${HEIGHT}`);
  const seconds = Array.from({ length: SECONDS }, () => zero(streams));
  const bars = seconds.map((_, x) =>
    streams.map((stream) => {
      const bar = document.createElementNS(SVG, 'rect');
      bar.setAttribute('x', x + 0.12);
      bar.setAttribute('width', 0.76);
      bar.dataset.stream = stream;
      return svg.appendChild(bar);
    }),
  );

  return {
    count(stream) {
      seconds.at(-1)[stream]++;
    },
    /** Ends the current second. Returns how many events it had, and the most that one had. */
    tick() {
      const sums = seconds.map((second) =>
        streams.reduce((sum, stream) => sum + second[stream], 0),
      );
      const peak = Math.max(...sums);
      const scale = HEIGHT / Math.max(4, peak);
      seconds.forEach((second, x) => {
        let y = HEIGHT;
        streams.forEach((stream, index) => {
          const height = second[stream] * scale;
          y -= height;
          bars[x][index].setAttribute('y', y);
          bars[x][index].setAttribute('height', height);
        });
      });
      svg.setAttribute(
        'aria-label',
        `Events per second over the last minute: at most ${peak}, ${sums.at(-1)} in the last second`,
      );
      seconds.shift();
      seconds.push(zero(streams));
      return { now: sums.at(-1), peak };
    },
  };
}

function zero(streams) {
  return Object.fromEntries(streams.map((stream) => [stream, 0]));
}
