import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

/** A metric that an expression is about, with the labels it asks of it, in a matcher or to group by. */
export interface Selected {
  name: string;
  labels: string[];
}

/** Functions that want the values of a time, not a single one. */
const overTime = /^(rate|irate|increase|delta|\w+_over_time)$/;

/**
 * The metrics of a PromQL expression, by Prometheus's own grammar. Throws when it is none, or when a function that
 * wants a range is given something else, which the grammar lets pass.
 * @param expr Grafana's variables such as $__rate_interval are taken for a duration
 */
export function metricsIn(expr: string): Selected[] {
  const text = expr.replaceAll(/\$__\w+/g, '5m');
  const of = ({ from, to }: SyntaxNode) => text.slice(from, to);
  const { topNode } = parser.parse(text);
  const wrong = (what: string) => new Error(`${what} in ${text}`);
  return selectorsIn(topNode).map((selector) => {
    const labels = descendants(selector, 'LabelName').map(of);
    for (let node = selector.parent; node !== null; node = node.parent) {
      // The labels an aggregation groups by are asked of everything in it.
      const modifier = node.getChild('AggregateModifier');
      if (modifier !== null) labels.push(...descendants(modifier, 'LabelName').map(of));
    }
    const [identifier] = descendants(selector, 'Identifier');
    if (identifier === undefined) throw wrong('no metric');
    return { name: of(identifier), labels };
  });

  function selectorsIn(top: SyntaxNode): SyntaxNode[] {
    const [error] = descendants(top, '⚠');
    if (error !== undefined) throw wrong(`a mistake at ${error.from}`);
    for (const call of descendants(top, 'FunctionCall')) {
      const [name, body] = [call.getChild('FunctionIdentifier'), call.getChild('FunctionCallBody')];
      const isRange = body?.getChild('MatrixSelector');
      if (name !== null && overTime.test(of(name)) && !isRange) throw wrong(`${of(name)} without a range`);
    }
    return descendants(top, 'VectorSelector');
  }
}

/** The nodes of a kind below one, in order. */
function descendants(top: SyntaxNode, kind: string): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = top.firstChild; child !== null; child = child.nextSibling) {
    // By its sign: an error has no name of its own.
    if (child.name === kind || (kind === '⚠' && child.type.isError)) found.push(child);
    found.push(...descendants(child, kind));
  }
  return found;
}
