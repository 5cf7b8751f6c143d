/** Access without coverage: who may open this car, by card or phone, as the car itself decides. */
export {};
