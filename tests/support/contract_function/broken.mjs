// A function whose init fails.

import "stock";

export async function handler() {}
