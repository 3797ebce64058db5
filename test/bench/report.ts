/** Findings as tables, JSON and pictures, and beside those of another day. */

import { cpus, release, totalmem } from "node:os";
import * as echarts from "echarts";
import type { Figure, Findings, Target } from "./statistics.ts";

/** Everything one run of the suite found out, and on what. */
export interface Report extends Findings {
  date: string;
  machine: Record<string, string>;
}

export function reportOf(findings: Findings): Report {
  return { date: new Date().toISOString().slice(0, 10), machine: machine(), ...findings };
}

function machine(): Record<string, string> {
  const [processor] = cpus();
  return {
    processor: `${cpus().length} × ${processor?.model.trim()}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: `Linux ${release()}`,
    bun: Bun.version,
    plugin: firstLine(["git", "-C", import.meta.dir, "describe", "--always", "--dirty"]),
    gcc: firstLine(["gcc", "-dumpfullversion"]),
  };
}

function firstLine(words: string[]): string {
  try {
    return Bun.spawnSync(words, { stderr: "ignore" }).stdout.toString().split("\n")[0] ?? "";
  } catch {
    return "not there";
  }
}

/** For a terminal. */
export function printReport({ machine, figures, targets, notes }: Report): void {
  console.log(
    Object.entries(machine)
      .map(([key, value]) => `${key}: ${value}`)
      .join("\n"),
  );
  for (const part of new Set(figures.map((figure) => figure.part))) {
    console.log(`\n${part}`);
    table(
      ["figure", "contender", "median", "p10", "p90", "least", "runs"],
      figures.filter((figure) => figure.part === part).map(rowOf),
    );
  }
  console.log("\ntargets");
  table(
    ["figure", "target", "measured", "p10", "p90", "runs", "", "least Bun"],
    targets.map((each) => [
      each.name,
      `≤ ${number(each.target)}`,
      `${number(each.median)} ${each.unit}`,
      number(each.p10),
      number(each.p90),
      String(each.runs),
      each.median <= each.target ? "holds" : "missed",
      each.least === undefined ? "" : number(each.least),
    ]),
  );
  for (const note of notes) console.log(`\n${note}`);
}

function rowOf(figure: Figure): string[] {
  return [
    figure.name,
    figure.contender,
    `${number(figure.median)} ${figure.unit}`,
    number(figure.p10),
    number(figure.p90),
    number(figure.min),
    String(figure.runs),
  ];
}

function table(head: string[], rows: string[][]): void {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]!.length)));
  // The first two columns are words.
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd();
  for (const row of [head, ...rows]) console.log(line(row));
}

/** Three digits that count. */
function number(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return String(Math.round(value));
  return value.toPrecision(3);
}

/** What a change did, as far as the other report has the same figures. Nothing here passes or fails. */
export function compareReports(now: Report, before: Report): void {
  console.log(`\nagainst ${before.date}, ${before.machine.plugin} on ${before.machine.kernel}`);
  const rows = now.targets.flatMap((each) => {
    const old = before.targets.find(({ name }) => name === each.name);
    return old === undefined ? [] : [changeOf(each, old)];
  });
  table(["figure", "unit", "before", "p10 to p90", "now", "p10 to p90", "change"], rows);
}

function changeOf(now: Target, before: Target): string[] {
  const change = before.median === 0 ? "" : `${((now.median / before.median - 1) * 100).toFixed(0)} %`;
  // Where the spreads touch, the change may be the weather.
  const isClear = now.p90 < before.p10 || now.p10 > before.p90;
  const spread = ({ p10, p90 }: Target) => `${number(p10)} to ${number(p90)}`;
  return [
    now.name,
    now.unit,
    number(before.median),
    spread(before),
    number(now.median),
    spread(now),
    isClear || now.median === before.median ? change : `(${change})`,
  ];
}

/** A picture: the figures of those names, grouped by name, a bar for each contender, its spread from p10 to p90. */
export function drawing(report: Report, title: string, figures: Figure[]): string {
  const names = [...new Set(figures.map(({ name }) => name))];
  const contenders = [...new Set(figures.map(({ contender }) => contender))];
  const of = (name: string, contender: string) =>
    figures.find((figure) => figure.name === name && figure.contender === contender);
  const unit = figures[0]?.unit ?? "";
  const { processor, kernel, plugin } = report.machine;
  const runs = [...new Set(figures.map((figure) => figure.runs))].sort((a, b) => a - b);
  const chart = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: 900,
    height: 130 + 62 * names.length,
  });
  chart.setOption({
    animation: false,
    backgroundColor: "#fff",
    title: {
      text: `${title} (${unit}, less is better)`,
      subtext: `${processor}, ${kernel}; plugin ${plugin}, ${report.date}; median of ${runs.join(" or ")} runs, whiskers p10 to p90`,
      left: 10,
    },
    legend: { top: 62, left: 10 },
    grid: { top: 100, left: 210, right: 40, bottom: 30 },
    xAxis: { type: "value", min: 0 },
    yAxis: { type: "category", data: names, inverse: true, axisLabel: { width: 190, overflow: "break" } },
    series: contenders.flatMap((contender) => [
      { type: "bar", name: contender, data: names.map((name) => of(name, contender)?.median ?? "-") },
    ]),
  });
  whiskers(chart, names, contenders, of);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** Lines from p10 to p90 across the bars, which the library has no series for. */
function whiskers(
  chart: echarts.ECharts,
  names: string[],
  contenders: string[],
  of: (name: string, contender: string) => Figure | undefined,
): void {
  const custom = contenders.map((contender, place) => ({
    type: "custom" as const,
    name: contender,
    silent: true,
    itemStyle: { color: "#333" },
    data: names.flatMap((name, row) => {
      const figure = of(name, contender);
      return figure === undefined ? [] : [[row, figure.p10, figure.p90]];
    }),
    renderItem: (
      _: unknown,
      api: {
        value(at: number): number;
        coord(point: number[]): number[];
        size?(size: number[]): number[];
        barLayout(options: object): { offsetCenter: number }[];
      },
    ) => {
      const offset = api.barLayout({ count: contenders.length })[place]!.offsetCenter;
      const [left, y] = api.coord([api.value(1), api.value(0)]) as [number, number];
      const [right] = api.coord([api.value(2), api.value(0)]) as [number, number];
      const shape = { x1: left, y1: y + offset, x2: right, y2: y + offset };
      return { type: "line", shape, style: { stroke: "#333", lineWidth: 1.5 } };
    },
    encode: { x: [1, 2], y: 0 },
    z: 10,
  }));
  const { series } = chart.getOption() as { series: object[] };
  chart.setOption({ series: [...series, ...custom] } as never);
}
