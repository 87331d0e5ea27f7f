// Shows the OpenAPI document of the gateway that this page comes from. All text goes in as text, never as HTML.

const METHODS = ["get", "post", "put", "patch", "delete"];

function node(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
  made.append(...children.filter((child) => child != null));
  return made;
}

/** A text whose `code` is marked as such. */
function words(text) {
  return (text ?? "").split("`").map((part, at) => (at % 2 === 1 ? node("code", {}, part) : part));
}

function follow(api, schema) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.slice(2).split("/").reduce((at, part) => at?.[part], api) ?? {};
}

/** What kind of value a schema describes, in words. */
function kind(api, schema) {
  const whole = follow(api, schema);
  const name = schema?.$ref?.split("/").pop();
  if (name) return name;
  const choice = whole.oneOf ?? whole.anyOf;
  if (choice) return choice.map((one) => kind(api, one)).join(" or ");
  if (whole.const != null) return JSON.stringify(whole.const);
  if (whole.enum) return whole.enum.map((one) => JSON.stringify(one)).join(" | ");
  const types = [whole.type ?? "any"].flat();
  return types.map((type) => (type === "array" ? `list of ${kind(api, whole.items)}` : type)).join(" or ")
    + (whole.format ? ` (${whole.format})` : "");
}

/** A table of an object's fields; for a choice one table each. */
function fields(api, schema, depth = 0) {
  const whole = follow(api, schema);
  const choice = whole.oneOf ?? whole.anyOf;
  if (choice && depth < 3) {
    return node("div", {}, ...choice.map((one) => fields(api, one, depth + 1)).filter(Boolean));
  }
  if (whole.type === "array") return fields(api, whole.items, depth + 1);
  const properties = Object.entries(whole.properties ?? {});
  if (properties.length === 0) return null;
  const rows = properties.map(([name, field]) =>
    node("tr", {},
      node("td", {}, node("code", {}, name), whole.required?.includes(name) ? " *" : ""),
      node("td", {}, kind(api, field)),
      node("td", {}, ...words(field.description ?? follow(api, field).description))));
  return node("table", {},
    node("thead", {}, node("tr", {}, ...["field (* required)", "kind", "meaning"].map((text) => node("th", { scope: "col" }, text)))),
    node("tbody", {}, ...rows));
}

function body(api, title, content) {
  const parts = Object.entries(content ?? {});
  if (parts.length === 0) return [];
  return parts.flatMap(([type, media]) => {
    const example = media.example ?? Object.values(media.examples ?? {})[0]?.value;
    return [
      node("h4", {}, `${title}: ${type}`),
      fields(api, media.schema),
      example === undefined ? null : node("pre", { tabindex: "0" }, typeof example === "string" ? example : JSON.stringify(example, null, 2)),
    ];
  });
}

function parameters(api, operation) {
  const all = operation.parameters ?? [];
  if (all.length === 0) return [];
  const rows = all.map((one) =>
    node("tr", {},
      node("td", {}, node("code", {}, one.name), one.required ? " *" : ""),
      node("td", {}, one.in),
      node("td", {}, kind(api, one.schema)),
      node("td", {}, ...words(one.description))));
  return [
    node("h4", {}, "Parameters"),
    node("table", {},
      node("thead", {}, node("tr", {}, ...["name", "in", "kind", "meaning"].map((text) => node("th", { scope: "col" }, text)))),
      node("tbody", {}, ...rows)),
  ];
}

function answers(api, operation) {
  return Object.entries(operation.responses ?? {}).flatMap(([status, answer]) => {
    const whole = follow(api, answer);
    if (status === "default") return [];
    return [
      node("h4", {}, `Answer ${status}`, whole.description ? node("span", { class: "faint" }, " ", ...words(whole.description)) : null),
      ...body(api, "Body", whole.content),
    ];
  });
}

function show(api) {
  document.getElementById("about").replaceChildren(...words(api.info.description));
  const contents = document.getElementById("contents");
  const main = document.getElementById("operations");
  for (const tag of api.tags ?? []) {
    const list = node("ul");
    main.append(node("h2", {}, tag.name), node("p", { class: "faint" }, tag.description ?? ""));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const method of METHODS) {
        const operation = item[method];
        if (!operation?.tags?.includes(tag.name)) continue;
        const id = operation.operationId;
        list.append(node("li", {}, node("a", { href: `#${id}` }, ...words(operation.summary ?? id))));
        main.append(node("section", { id, "aria-labelledby": `${id}-title` },
          node("h3", { id: `${id}-title` }, node("span", { class: "method" }, method.toUpperCase()), node("code", {}, path)),
          node("p", {}, ...words(operation.summary), " ", ...words(operation.description)),
          ...parameters(api, operation),
          ...body(api, "Request", operation.requestBody?.content),
          ...answers(api, operation)));
      }
    }
    contents.append(node("h2", {}, tag.name), list);
  }
  const problem = api.components?.schemas?.Problem;
  if (problem) {
    main.append(node("section", { id: "problem", "aria-labelledby": "problem-title" },
      node("h3", { id: "problem-title" }, "What goes wrong"),
      node("p", {}, "Every operation may answer with a problem, as ", node("code", {}, "application/problem+json"), ":"),
      fields(api, problem)));
    contents.append(node("h2", {}, "problems"), node("ul", {}, node("li", {}, node("a", { href: "#problem" }, "What goes wrong"))));
  }
  document.title = `${api.info.title}: HTTP interface`;
}

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`);
  show(await answer.json());
} catch (error) {
  document.getElementById("about").textContent = `The description could not be read: ${error.message}`;
}
