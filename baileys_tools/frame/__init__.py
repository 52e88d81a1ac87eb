"""What every command runs in: settings in force, the guard of places, the record of runs, workers, HTTP, terminal."""
