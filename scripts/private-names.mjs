// The names of private members in a folder's TypeScript that nothing else has for a name there: they
// may be shortened in what is built of it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** @param {string} folder */
export function privateNames(folder) {
  const own = new Set();
  const others = new Set();
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8');
    visit(ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true), own, others);
  }
  return [...own].filter((name) => !others.has(name));
}

function visit(node, own, others) {
  if (ts.isStringLiteralLike(node)) others.add(node.text);
  if (ts.isIdentifier(node)) {
    const { parent } = node;
    if (isMember(parent) && parent.name === node) {
      (isPrivate(parent) ? own : others).add(node.text);
    } else if (isNameOfOthers(node, parent)) others.add(node.text);
  }
  ts.forEachChild(node, (child) => visit(child, own, others));
}

/** Whether a node declares a property, by a name of its own. */
function isMember(node) {
  return (
    ts.isClassElement(node) ||
    ts.isTypeElement(node) ||
    ts.isObjectLiteralElementLike(node) ||
    ts.isEnumMember(node) ||
    ts.isParameterPropertyDeclaration(node, node.parent)
  );
}

function isPrivate(node) {
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) === true;
}

/** Whether an identifier names a property of something else than `this`. */
function isNameOfOthers(node, parent) {
  if (ts.isPropertyAccessExpression(parent)) {
    return parent.name === node && parent.expression.kind !== ts.SyntaxKind.ThisKeyword;
  }
  if (!ts.isBindingElement(parent) || (parent.propertyName ?? parent.name) !== node) return false;
  const { initializer } = parent.parent.parent;
  return initializer?.kind !== ts.SyntaxKind.ThisKeyword;
}
