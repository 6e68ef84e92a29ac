// Checks that openapi.json is valid OpenAPI 3.1, that no reference in it leads nowhere and no
// component goes unused, that it has the routes of src/api/api.c, and none that is neither
// there nor among those of other protocols (src/api/receive_routes.c), and that its version
// is the program's. Run by `make lint`.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";

const read = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
const text = read("openapi.json");
const api = JSON.parse(text);
const problems = [];

const validator = new Validator();
const result = await validator.validate(JSON.parse(text));
if (!result.valid) problems.push(JSON.stringify(result.errors, null, 2));
if (validator.version !== "3.1") problems.push(`it is OpenAPI ${validator.version}, not 3.1`);

const references = new Set([...text.matchAll(/"\$ref":\s*"#\/([^"]+)"/g)].map((match) => match[1]));
for (const reference of references) {
    if (!reference.split("/").reduce((node, key) => node?.[key], api))
        problems.push(`#/${reference} does not exist`);
}
// Ways to say who asks are named, not referred to.
const { securitySchemes, ...referred } = api.components;
const named = [api, ...Object.values(api.paths).flatMap(Object.values)].flatMap((of) =>
    (of.security ?? []).flatMap(Object.keys),
);
for (const name of Object.keys(securitySchemes).filter((name) => !named.includes(name)))
    problems.push(`components/securitySchemes/${name} is not used`);
for (const name of named.filter((name) => !securitySchemes[name]))
    problems.push(`security: ${name} is not in components/securitySchemes`);
for (const [kind, components] of Object.entries(referred)) {
    for (const name of Object.keys(components)) {
        if (!references.has(`components/${kind}/${name}`))
            problems.push(`components/${kind}/${name} is not used`);
    }
}

const described = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
);
const routesOf = (file) =>
    [...read(file).matchAll(/\{"([A-Z]+)", "([^"]+)", \w+[,(][^}]+\}/g)].map(([, method, path]) => `${method} ${path}`);
const routes = routesOf("../src/api/api.c");
const foreign = routesOf("../src/api/receive_routes.c");
for (const route of routes.filter((route) => !described.includes(route)))
    problems.push(`${route} is a route in src/api/api.c, but not described`);
for (const route of described.filter((route) => !routes.includes(route) && !foreign.includes(route)))
    problems.push(`${route} is described, but no route in src/api`);

const version = /version: '([^']+)'/.exec(read("../meson.build"))[1];
if (api.info.version !== version)
    problems.push(`info.version is ${api.info.version}, but meson.build says ${version}`);

for (const problem of problems) console.error(`openapi.json: ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);
