import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { CodedError } from './errors.ts';
import { parseAmount } from './money.ts';

/** Requests are checked by validators compiled once from their JSON Schemas; this is how, for all routes. */

/** Compiles the schema of a part of a request: body, headers, query, path. */
export function compileSchema<Data = unknown>(schema: object): ValidateFunction<Data> {
  return ajv.compile<Data>(schema);
}

/** Passes what keeps the rules of the schema. @throws CodedError `validation-failed`, with each field that does not */
export function checked<Data>(validate: ValidateFunction<Data>, data: unknown): Data {
  if (!validate(data)) throw validationRefusal(validate.errors ?? []);
  return data;
}

const ajv = new Ajv({
  // Nothing is bent to fit: null is not 0, and unknown fields are refused, not dropped.
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allErrors: true,
  verbose: true,
  allowUnionTypes: true,
  // That the schemas are sound is tested; checking it here took each start a fiftieth of a second.
  validateSchema: false,
  formats: { amount: isAmount, 'storable-text': isStorable },
});

/** Fields that one refusal names, and characters of each name: more helps nobody. */
const namedFieldsMax = 10;
const fieldNameMax = 100;

/** Names each field that breaks a rule, with the rule: the `description` of its schema. */
export function validationRefusal(errors: readonly ErrorObject[]): CodedError {
  const byField = new Map<string, string>();
  for (const { keyword, instancePath, params, parentSchema } of errors) {
    const path = instancePath.slice(1).replaceAll('/', '.');
    if (keyword === 'additionalProperties') {
      byField.set(
        joinPath(path, String(params['additionalProperty'])),
        'is not a field of this request; leave it out',
      );
    } else if (keyword === 'required') {
      byField.set(joinPath(path, String(params['missingProperty'])), 'is missing');
    } else if (path === '') {
      byField.set('body', 'must be a JSON object');
    } else {
      byField.set(path, String(parentSchema?.['description'] ?? 'breaks a rule'));
    }
  }
  const fields = [...byField]
    .slice(0, namedFieldsMax)
    .map(([field, message]) => ({ field: field.slice(0, fieldNameMax).toWellFormed(), message }));
  const rest = byField.size > fields.length ? `; and ${byField.size - fields.length} more` : '';
  const detail = `${fields.map(({ field, message }) => `${field} ${message}`).join('; ')}${rest}.`;
  return new CodedError('validation-failed', detail, { fields });
}

function joinPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** Text that Postgres can store: no NUL, no lone surrogate. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function isAmount(text: string): boolean {
  return parseAmount(text) !== undefined;
}
