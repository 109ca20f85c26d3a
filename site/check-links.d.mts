/** Follows every link of a built site to another of its pages, files or anchors. */
export function checkLinks(
  dist: string,
  base: string,
): { readonly checked: number; readonly broken: ReadonlyMap<string, string> };
