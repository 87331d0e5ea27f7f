// Makes the pages live. Without it they still work: links and forms, and what is new after a reload.
import { keepFresh } from "./live.js";
import { openDialogs } from "./dialog.js";

keepFresh(document);
openDialogs(document);
