export interface Tag {
  readonly item: string;
  /** RFC and section, or kernel function. */
  readonly reference: string;
  /** The source file that has it. */
  readonly file: string;
  /** The test's file; `title`: the test or group in it, null for a packet script. */
  readonly path: string;
  readonly title: string | null;
}

/** One way of breaking an item: `from` stands once in `file`. */
export interface Mutation {
  readonly item: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export function readTags(root: string): Tag[];
export function readMutations(root: string): Mutation[];
