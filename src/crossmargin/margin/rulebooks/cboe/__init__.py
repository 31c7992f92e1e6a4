"""Strategy-based margin of listed options: Regulation T, Cboe Rule 10.3, FINRA Rule 4210."""
