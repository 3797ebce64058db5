import { expect, test } from "bun:test";
import { performanceText, targetsText } from "../../src/documents/performance.ts";

const machine = { processor: "2 × Test", kernel: "Linux 9", bun: "1.2.3" };

test("the README's figures are ratios of medians; what was not measured stays empty", () => {
  const figures = [
    { name: "ADD, wall", contender: "plugin", median: 9 },
    { name: "ADD, wall", contender: "Go 1.9.1", median: 12 },
    { name: "ADD, wall", contender: "C", median: 0.5 },
    { name: "DEL, wall", contender: "Go 1.9.1", median: 4 },
  ];
  const lines = performanceText({ date: "2026-01-02", machine, figures }).split("\n");
  const cells = lines.slice(2, 5).map((line) =>
    line
      .split("|")
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
  expect(cells).toEqual([
    ["ADD, wall clock", "0.75 ×", "", "18 ×"],
    ["ADD, processor time", "", "", ""],
    ["DEL, wall clock", "", "", ""],
  ]);
  expect(lines.at(-1)).toBe(
    "Medians, all contenders in turn in one run: 2 × Test, Linux 9, Bun 1.2.3, 2026-01-02.",
  );
});

test("each target stands beside what was measured, and what the runtime allows", () => {
  const spread = { unit: "×", p10: 0.7, p90: 1.23456 };
  const text = targetsText({
    date: "2026-01-02",
    machine,
    targets: [
      { name: "ADD", target: 0.65, median: 0.65, least: 0.5238, ...spread },
      { name: "parse", target: 1.2, median: 1.2001, ...spread },
    ],
  });
  const cells = text.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  expect(cells[2]!.slice(1, 7)).toEqual(["ADD", "≤ 0.65", "0.65 ×", "0.7 to 1.23", "0.524", "holds"]);
  expect(cells[3]!.slice(1, 7)).toEqual(["parse", "≤ 1.2", "1.2 ×", "0.7 to 1.23", "", "missed"]);
  expect(text).toEndWith("2026-01-02.");
});
