import { refusals } from "./cases/refuse.ts";
import { conform } from "./conform.ts";

conform("refuse", refusals);
