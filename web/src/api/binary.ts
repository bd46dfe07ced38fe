// The format of src/tolman/atlas/binary.py: "TLM1", length of a JSON head, the head, arrays. Nothing is copied.
const KINDS = { float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array, int32: Int32Array };
type Kind = keyof typeof KINDS;

export function unpack(message: ArrayBuffer): { facts: any; arrays: Record<string, any> } {
  const length = new DataView(message).getUint32(4, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 8, length)));
  const arrays: Record<string, any> = {};
  for (const [name, told] of Object.entries<{ type: Kind; offset: number; length: number }>(facts.arrays)) {
    arrays[name] = new KINDS[told.type](message, 8 + length + told.offset, told.length);
  }
  return { facts, arrays };
}
