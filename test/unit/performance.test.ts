import { expect, test } from "bun:test";
import { performanceText } from "../../src/documents/performance.ts";

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
