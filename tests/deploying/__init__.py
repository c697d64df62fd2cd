"""The page about deploying: its commands are started as they stand there, its files run where their programs are."""
