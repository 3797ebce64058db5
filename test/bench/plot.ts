/** A line plot as SVG, both axes logarithmic. */

export interface Series {
  name: string;
  points: { x: number; y: number }[];
}

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 60;
const RIGHT = 150;
const TOP = 44;
const BOTTOM = 48;
const COLOURS = ["#0b6e4f", "#c8553d", "#e0a458"];

/** The picture. Zero on the x axis stands at 1, where a logarithmic axis has room for it. */
export function plot(title: string, xLabel: string, yLabel: string, series: Series[]): string {
  const xs = series[0]!.points.map(({ x }) => x);
  const ys = series.flatMap(({ points }) => points.map(({ y }) => y));
  const xLast = Math.max(...xs);
  const yTicks = ticksAround(Math.min(...ys), Math.max(...ys));
  const across = (x: number) =>
    LEFT + (Math.log10(Math.max(x, 1)) / Math.log10(xLast)) * (WIDTH - LEFT - RIGHT);
  const low = Math.log10(yTicks[0]!);
  const high = Math.log10(yTicks.at(-1)!);
  const up = (y: number) =>
    HEIGHT - BOTTOM - ((Math.log10(y) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="24" font-size="15" font-weight="bold" fill="#222222">${title}</text>`,
    ...yTicks.flatMap((y) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${up(y).toFixed(1)}" y2="${up(y).toFixed(1)}" stroke="#dddddd"/>`,
      `<text x="${LEFT - 8}" y="${(up(y) + 4).toFixed(1)}" text-anchor="end" fill="#555555">${y} ${yLabel}</text>`,
    ]),
    ...xs.map(
      (x) =>
        `<text x="${across(x).toFixed(1)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#555555">${x.toLocaleString("en")}</text>`,
    ),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle" fill="#555555">${xLabel}</text>`,
    ...series.flatMap((one, index) => line(one, COLOURS[index % COLOURS.length]!, across, up)),
    ...labels(series, up),
    "</svg>",
  ];
  return `${parts.join("\n")}\n`;
}

function line(
  { points }: Series,
  colour: string,
  across: (x: number) => number,
  up: (y: number) => number,
): string[] {
  const places = points.map(({ x, y }) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`);
  return [
    `<polyline points="${places.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...places.map((place) => {
      const [x, y] = place.split(",");
      return `<circle cx="${x}" cy="${y}" r="3.5" fill="${colour}"/>`;
    }),
  ];
}

/** Names at the ends of the lines, moved apart where the ends are close. */
function labels(series: Series[], up: (y: number) => number): string[] {
  const ends = series
    .map(({ name, points }, index) => ({
      name,
      y: up(points.at(-1)!.y),
      colour: COLOURS[index % COLOURS.length]!,
    }))
    .sort((a, b) => a.y - b.y);
  for (const [index, end] of ends.entries()) if (index > 0) end.y = Math.max(end.y, ends[index - 1]!.y + 16);
  return ends.map(
    ({ name, y, colour }) =>
      `<text x="${WIDTH - RIGHT + 10}" y="${(y + 4).toFixed(1)}" fill="${colour}">${name}</text>`,
  );
}

/** 1, 3, 10, 30 … from below the least to above the most. */
function ticksAround(least: number, most: number): number[] {
  const ticks: number[] = [];
  for (let power = -3; power < 7; power++) for (const step of [1, 3]) ticks.push(step * 10 ** power);
  const from = ticks.findLastIndex((tick) => tick <= least);
  const to = ticks.findIndex((tick) => tick >= most);
  return ticks.slice(Math.max(from, 0), to + 1);
}
