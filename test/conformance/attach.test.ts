import { attachments } from "./cases/attach.ts";
import { conform } from "./conform.ts";

conform("attach", attachments);
