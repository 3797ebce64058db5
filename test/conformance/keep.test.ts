import { upkeep } from "./cases/keep.ts";
import { conform } from "./conform.ts";

conform("keep", upkeep);
