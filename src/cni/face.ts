// All that an ADD runs, as one thing to load: a second and a third dynamic import take 0.2 ms each.
export { verbs } from "../ipvlan/verbs.ts";
export { runCni } from "./run.ts";
