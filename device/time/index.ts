/** Trusted time: what the car knows of the time of day, and how far that may be off. */
export {};
